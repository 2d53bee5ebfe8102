//! Several coordinators on one database server: whoever is asked, the answer is the same, and none of them is needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use ffleet_client::Follower;
use ffleet_protocol::{
    id::JobId,
    log::{FollowRecord, Record},
    state::JobStatus,
    topic::Topic,
};
use ffleet_tests::{Fleet, PATIENCE, WorkerSetup, job};
use futures_util::future::join_all;
use tokio::sync::watch;

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

#[tokio::test]
async fn the_same_request_at_all_of_them_at_once_has_one_effect() {
    const REQUESTS: usize = 120;
    let fleet = Fleet::setup().galera().await.coordinators(3).start().await;
    let apis: Vec<_> = (0..3).map(|n| fleet.api_at(n, "studio")).collect();
    let done = AtomicUsize::new(0);
    let requests = (0..REQUESTS).map(|n| {
        let (apis, done) = (&apis, &done);
        async move {
            let (spec, key) = (job(["-fake-say", &n.to_string()]), format!("key-{n}"));
            let answers = join_all(apis.iter().map(|api| api.submit(&spec, &key))).await;
            let ids: BTreeSet<_> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
            assert_eq!(ids.len(), 1, "one key, one job");
            done.fetch_add(1, Ordering::Relaxed);
            ids.into_iter().next().unwrap()
        }
    });
    let ids: BTreeSet<JobId> = join_all(requests).await.into_iter().collect();
    assert_eq!((ids.len(), done.load(Ordering::Relaxed)), (REQUESTS, REQUESTS));
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
    const JOBS: usize = 60;
    const KILLS: usize = 9;
    let fleet = Fleet::setup().galera().await.coordinators(3).start().await;
    for name in ["left", "right"] {
        fleet.worker_with(WorkerSetup::new(name).slots(4)).await;
    }
    let (seen, done) = (Seen::default(), AtomicUsize::new(0));
    let jobs = (0..JOBS).map(|n| {
        let (fleet, seen, done) = (&fleet, &seen, &done);
        async move {
            let api = fleet.api().with_deadline(PATIENT);
            let id = api.submit(&job(["-fake-slow", "40:50"]), &format!("key-{n}")).await.unwrap().id;
            let records = followed(fleet, id, seen).await;
            done.fetch_add(1, Ordering::Relaxed);
            seen.send_modify(|seen| *seen += 1);
            (id, records)
        }
    });
    let killing = async {
        for n in 0..KILLS {
            let wanted = *seen.borrow() + 80;
            let mut changes = seen.subscribe();
            let moment = changes.wait_for(|seen| *seen >= wanted);
            let _ = tokio::time::timeout(PATIENCE, moment).await.expect("somebody sees something").unwrap();
            assert!(done.load(Ordering::Relaxed) < JOBS, "everything was over after {n} kills");
            let victim = &fleet.coordinators()[n % 3];
            victim.kill9().await;
            victim.restart().await;
        }
    };
    let (jobs, ()) = tokio::join!(join_all(jobs), killing);
    for (id, records) in jobs {
        assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
        assert_gapless(&records);
    }
}
