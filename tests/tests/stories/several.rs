//! Several coordinators on one database server: whoever is asked, the answer is the same, and none of them is needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use ffleet_client::{Follower, RetryOptions};
use ffleet_protocol::{
    id::{JobId, Token},
    log::{FollowRecord, Record},
    state::JobStatus,
    task::Order,
    topic::Topic,
};
use ffleet_servers::{RabbitMq, free_port};
use ffleet_tests::{
    Fleet, Hand, Held, PATIENCE, SHORT_LEASES, WorkerSetup,
    checker::History,
    job,
    load::{Line, Signer},
};
use futures_util::future::{join_all, try_join_all};
use tokio::{sync::watch, task::spawn_blocking};

/// Long enough for outages under load. Nobody should have to notice one.
const PATIENT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn what_one_does_the_others_know_at_once() {
    let fleet = Fleet::setup().mariadb().await.coordinators(2).start().await;
    fleet.worker("box").await;
    let (here, there) = (fleet.api_at(0, "studio"), fleet.api_at(1, "studio"));
    let gate = fleet.gate("go");
    let id = here.submit(&job(["-fake-say", "hello", "-fake-gate", &gate.template()]), "key").await.unwrap().id;
    assert_eq!(there.submit(&job(["-fake-say", "hello", "-fake-gate", &gate.template()]), "key").await.unwrap().id, id);
    fleet.wait(id).until_says("hello").await;
    assert_eq!(there.job(id).await.unwrap().summary.status, JobStatus::Running);
    // Who waits at one is woken by what happens at the other.
    let topics = [Topic::Job(id)];
    let cursor = there.watch(&topics, None).await.unwrap().cursor;
    let (news, canceled) = tokio::join!(there.watch(&topics, Some(&cursor)), here.cancel(id));
    canceled.unwrap();
    assert_eq!(news.unwrap().topics, topics);
    fleet.wait(id).until(JobStatus::Canceled).await;
}

/// A coordinator takes any of the installation's names for its own, so that the same bytes can be sent to each.
#[tokio::test]
async fn the_same_signed_request_at_all_of_them_at_once_has_one_effect() {
    const REQUESTS: usize = 1_000;
    const AT_ONCE: usize = 16;
    let fleet = Fleet::setup().galera().await.coordinators(3).proxies(1).start().await;
    let signer = Signer::new(&fleet.dir().join("keys/studio.key"), fleet.proxy(0).address()).unwrap();
    let next = AtomicUsize::new(0);
    let callers = (0..AT_ONCE).map(|_| async {
        while let n @ 0..REQUESTS = next.fetch_add(1, Ordering::Relaxed) {
            // Anew each time: who sent a replay is a stranger, and strangers are not kept.
            let open = fleet.coordinators().iter().map(|coordinator| Line::open(coordinator.address()));
            let mut lines = try_join_all(open).await.unwrap();
            let request = signer.send_once("/v1/jobs", &job(["-fake-say", &n.to_string()]));
            let answers = try_join_all(lines.iter_mut().map(|line| line.ask(&request))).await.unwrap();
            let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 401, 401], "one takes it, and to the others it is a replay");
        }
    });
    join_all(callers).await;
    let history = History::read(fleet.database()).await.unwrap();
    assert_eq!((history.jobs.len(), history.keys.len()), (REQUESTS, REQUESTS));
}

#[tokio::test]
async fn the_same_call_at_all_of_them_at_once_has_one_effect() {
    const CALLS: usize = 120;
    let fleet = Fleet::setup().galera().await.coordinators(3).start().await;
    let apis: Vec<_> = (0..3).map(|n| fleet.api_at(n, "studio")).collect();
    let calls = (0..CALLS).map(|n| {
        let apis = &apis;
        async move {
            let (spec, key) = (job(["-fake-say", &n.to_string()]), format!("key-{n}"));
            let answers = join_all(apis.iter().map(|api| api.submit(&spec, &key))).await;
            let ids: BTreeSet<_> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
            assert_eq!(ids.len(), 1, "one key, one job");
            ids.into_iter().next().unwrap()
        }
    });
    let ids: BTreeSet<JobId> = join_all(calls).await.into_iter().collect();
    assert_eq!(ids.len(), CALLS);
    // And what is decided at the same moment at each of them is decided once.
    for id in ids.iter().take(30) {
        let answers = join_all(apis.iter().map(|api| api.cancel(*id))).await;
        for answer in answers {
            assert_eq!(answer.unwrap().status, JobStatus::Canceled);
        }
    }
    fleet.cancel_all().await;
}

/// What followers have seen so far, counted: the clock of a story.
type Seen = watch::Sender<usize>;

async fn followed(fleet: &Fleet, id: JobId, seen: &Seen) -> Vec<(u32, Record)> {
    let mut follower = Follower::new(fleet.api().clone(), id, None);
    let mut records = Vec::new();
    let following = async {
        while let Some(record) = follower.next().await.unwrap() {
            if let FollowRecord::Output { epoch, record, .. } = record {
                records.push((epoch, record));
                seen.send_modify(|seen| *seen += 1);
            }
        }
    };
    tokio::time::timeout(PATIENT, following).await.unwrap();
    records
}

/// No record is missing, repeated or out of order.
fn assert_gapless(records: &[(u32, Record)]) {
    let mut of_epoch = BTreeMap::<u32, Vec<u64>>::new();
    for (epoch, record) in records {
        of_epoch.entry(*epoch).or_default().push(record.seq);
    }
    for (epoch, numbers) in of_epoch {
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "attempt {epoch}");
    }
    assert!(records.is_sorted_by_key(|(epoch, _)| *epoch));
}

#[tokio::test]
async fn one_of_three_is_killed_again_and_again_and_nobody_has_to_care() {
    const JOBS: usize = 500;
    const FOLLOWERS: usize = 20;
    let fleet = Fleet::setup().galera().await.coordinators(3).start().await;
    for name in ["left", "right"] {
        fleet.worker_with(WorkerSetup::new(name).slots(8)).await;
    }
    let (seen, next, left) = (Seen::default(), AtomicUsize::new(0), AtomicUsize::new(FOLLOWERS));
    let followers = (0..FOLLOWERS).map(|_| async {
        let api = fleet.api().with_deadline(PATIENT);
        let mut followed_so_far = Vec::new();
        while let n @ 0..JOBS = next.fetch_add(1, Ordering::Relaxed) {
            let id = api.submit(&job(["-fake-slow", "8:40"]), &format!("key-{n}")).await.unwrap().id;
            followed_so_far.push((id, followed(&fleet, id, &seen).await));
        }
        left.fetch_sub(1, Ordering::Relaxed);
        seen.send_modify(|_| {});
        followed_so_far
    });
    let killing = async {
        let mut kills = 0;
        // As long as all of them have something to follow; some seconds from one to the next.
        let all_follow = || left.load(Ordering::Relaxed) == FOLLOWERS;
        while all_follow() {
            let wanted = *seen.borrow() + 250;
            let mut changes = seen.subscribe();
            let moment = changes.wait_for(|seen| *seen >= wanted || !all_follow());
            let _ = tokio::time::timeout(PATIENCE, moment).await.expect("somebody sees something").unwrap();
            let victim = &fleet.coordinators()[kills % 3];
            victim.kill9().await;
            victim.restart().await;
            kills += 1;
        }
        kills
    };
    let (followed, kills) = tokio::join!(join_all(followers), killing);
    let followed: Vec<_> = followed.into_iter().flatten().collect();
    assert_eq!(followed.len(), JOBS);
    println!("{kills} kills");
    assert!(kills >= 6, "{kills} kills are not again and again");
    for (id, records) in followed {
        assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
        assert_gapless(&records);
    }
}

#[tokio::test]
async fn a_broker_tells_the_others_at_once_and_nothing_needs_it() {
    let broker = spawn_blocking(RabbitMq::start).await.unwrap();
    let setup = broker_account(&broker).await;
    // Nobody looks by themselves for so long that only the broker can have told.
    let setup = format!("[timing]\ntail_ms = 60000\n\n{setup}");
    let fleet = Fleet::setup().mariadb().await.config(&setup).coordinators(2).start().await;
    for n in 0..2 {
        connected(&fleet, n, true).await;
    }
    let hand = Hand::at(fleet.api_at(0, "farm"), "box").await;
    let there = fleet.api_at(1, "studio");
    for n in 0..5 {
        let claim = hand.claim_with(Token::new(), 1, 25);
        let submit = async {
            let before = heard(&fleet, 0).await;
            let id = there.submit(&job(["-fake-say", "x"]), &format!("key-{n}")).await.unwrap().id;
            (before, id)
        };
        let (answer, (before, id)) = tokio::join!(claim, submit);
        let grants = answer.unwrap().unwrap().grants;
        assert_eq!((grants.len(), grants[0].job), (1, id));
        assert!(heard(&fleet, 0).await > before || n == 0, "the first coordinator was told by the broker");
        let held = Held { grant: grants[0].clone() };
        hand.accept(&held).await.unwrap();
        hand.finish(&held, 0).await.unwrap();
    }
    // Standing still, it is noticed by nobody who waits for an answer; killed, it is said.
    broker.pause();
    let id = there.submit(&job(["-fake-say", "x"]), "while-it-stands-still").await.unwrap().id;
    let claimed = hand.claim().await;
    assert_eq!(claimed.grant.job, id);
    hand.accept(&claimed).await.unwrap();
    hand.finish(&claimed, 0).await.unwrap();
    broker.kill9();
    for n in 0..2 {
        connected(&fleet, n, false).await;
    }
    let (status, ready) = fleet.coordinators()[0].asked("/health/ready").await;
    assert!(status == 200 && ready.contains("amqp carries no nudges"), "{ready}");
    spawn_blocking(move || {
        broker.restart();
        broker
    })
    .await
    .unwrap();
}

/// Neither broker is there, from the first moment to the last: jobs start later, and that is all.
#[tokio::test]
async fn brokers_that_never_come_are_missed_by_nobody() {
    let (amqp, mqtt) = (free_port(), free_port());
    let setup = format!(
        "[notify.amqp]\nurls = [\"amqp://ffleet@127.0.0.1:{amqp}/ffleet\"]\n\n\
         [notify.mqtt]\nurls = [\"mqtt://ffleet@127.0.0.1:{mqtt}\"]\n"
    );
    let fleet = Fleet::setup().mariadb().await.config(&setup).coordinators(2).start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(4)).await;
    let apis = [fleet.api_at(0, "studio"), fleet.api_at(1, "studio")];
    for n in 0..40 {
        let id = apis[n % 2].submit(&job(["-fake-say", "x"]), &format!("key-{n}")).await.unwrap().id;
        fleet.wait(id).until(JobStatus::Completed).await;
    }
    for coordinator in fleet.coordinators() {
        let (status, ready) = coordinator.asked("/health/ready").await;
        let told = ["amqp carries no nudges", "mqtt carries no nudges"].map(|words| ready.contains(words));
        assert_eq!((status, told), (200, [true; 2]), "{ready}");
    }
}

/// The files that operators copy prepare the broker.
async fn broker_account(broker: &RabbitMq) -> String {
    broker.ctl(&["add_vhost", "ffleet"]);
    broker.add_user("coordinators", "a secret", "ffleet");
    let url = broker.url("coordinators", "a secret", "ffleet");
    format!("[notify.amqp]\nurls = [{url:?}]\n")
}

/// Waits until a coordinator says that its broker answers, or does not.
async fn connected(fleet: &Fleet, coordinator: usize, wanted: bool) {
    let waiting = async {
        loop {
            let (_, ready) = fleet.coordinators()[coordinator].asked("/health/ready").await;
            if ready.contains("carries no nudges") != wanted {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

async fn heard(fleet: &Fleet, coordinator: usize) -> u64 {
    let (_, metrics) = fleet.coordinators()[coordinator].asked("/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix("ffleet_nudges_heard_total ")).unwrap();
    line.parse().unwrap()
}

#[tokio::test]
async fn coordinators_are_restarted_one_by_one_and_no_call_fails() {
    let fleet = Fleet::setup().mariadb().await.coordinators(3).behind_haproxy().start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(4)).await;
    // Whoever calls does not try anything twice.
    let once = RetryOptions { deadline: Duration::ZERO, ..RetryOptions::default() };
    let (api, calls, over) = (fleet.api().with_retry(once), AtomicUsize::new(0), AtomicBool::new(false));
    let callers = (0..6).map(|caller| {
        let (api, calls, over) = (&api, &calls, &over);
        async move {
            let mut ids = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let n = calls.fetch_add(2, Ordering::Relaxed);
                let id = api.submit(&job(["-fake-say", "x"]), &format!("{caller}-{n}")).await.unwrap().id;
                assert_eq!(api.job(id).await.unwrap().summary.id, id, "who reads sees what was written elsewhere");
                ids.push(id);
            }
            ids
        }
    });
    let restarting = async {
        for coordinator in fleet.coordinators() {
            let before = calls.load(Ordering::Relaxed);
            assert!(coordinator.process().term().await.success());
            coordinator.restart().await;
            assert!(calls.load(Ordering::Relaxed) > before, "calls went on meanwhile");
        }
        let front = fleet.front();
        front.reload(&fleet.front_config());
        over.store(true, Ordering::Relaxed);
    };
    let (ids, ()) = tokio::join!(join_all(callers), restarting);
    for id in ids.into_iter().flatten() {
        fleet.wait(id).until(JobStatus::Completed).await;
    }
}

#[tokio::test]
async fn clocks_that_are_apart_end_no_lease_early_or_late() {
    let fleet = Fleet::setup()
        .mariadb()
        .await
        .config(SHORT_LEASES)
        .coordinators(3)
        .clocks(["+10m", "-10m", "+0m"])
        .start()
        .await;
    // A client corrects itself by whoever answers, and all of them answer alike.
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let fast = Hand::at(fleet.api_at(0, "farm"), "fast").await;
    let held = fast.take().await;
    assert_eq!(held.grant.job, id);
    // Renewed in turn at coordinators that are twenty minutes apart, for three times as long as the lease lasts.
    let others: Vec<_> = (0..3).map(|n| fast.through(fleet.api_at(n, "farm"))).collect();
    let mut beats = tokio::time::interval(Duration::from_millis(500));
    for n in 0..36 {
        beats.tick().await;
        let answer = others[n % 3].beat(&[&held]).await.unwrap();
        assert_eq!(answer.verdicts[0].order, Order::Continue, "beat {n}");
    }
    // And not renewed, it is over when it is over: nobody's clock keeps it, and the other worker gets the task.
    let slow = Hand::at(fleet.api_at(1, "farm"), "slow").await;
    let heir = slow.claim().await;
    assert_eq!((heir.grant.job, heir.grant.epoch), (id, 2));
    let view = fleet.job(id).await;
    let attempt = &view.tasks[0].attempts[0];
    let lasted = attempt.ended_at.unwrap().duration_since(attempt.claimed_at);
    assert!(lasted.as_secs() >= 18 + 5 && lasted.as_secs() < 18 + 60, "by the store's clock it was held for {lasted}");
    slow.accept(&heir).await.unwrap();
    slow.finish(&heir, 0).await.unwrap();
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
}
