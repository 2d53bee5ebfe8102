//! Things die and come back.

use std::collections::{BTreeMap, BTreeSet};

use ffleet_protocol::{
    id::Token,
    job::AttemptEnd,
    log::FollowRecord,
    state::{JobStatus, Stream},
};
use ffleet_tests::{Fleet, Held, Ran, SHORT_LEASES, job, output, spec, stderr_text};
use serde_json::json;

#[tokio::test]
async fn a_killed_workers_job_is_finished_by_another() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    let doomed = fleet.worker("doomed").await;
    let (up, go) = (fleet.gate("up"), fleet.gate("go"));
    let steps = ["-fake-touch", &up.template(), "-fake-gate", &go.template(), "-fake-say", "done"];
    let id = fleet.submit(&job(steps)).await;
    up.opened().await;
    doomed.kill9().await;
    // Its FFmpeg dies with it; whoever takes the task over must not meet it at the output.
    fleet.gone("-fake-gate").await;
    fleet.worker("heir").await;
    assert_eq!(fleet.wait(id).until_attempt(2).await, "heir");
    go.open();
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    let task = &end.tasks[0];
    assert_eq!((task.failures, task.crashes, task.epoch), (0, 1, 2), "a lapse spends no retry");
    assert_eq!(task.attempts[0].end, Some(AttemptEnd::Lapsed));
    assert_eq!(task.attempts[1].end, Some(AttemptEnd::Completed));
}

#[tokio::test]
async fn children_of_a_killed_worker_die_with_it_however_stubborn() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    let doomed = fleet.worker("doomed").await;
    let child = fleet.gate("child");
    let deaf = ["-fake-ignore-q", "-fake-ignore-term", "-fake-child", &child.template(), "-fake-hang"];
    let id = fleet.submit(&job(deaf)).await;
    child.opened().await;
    doomed.kill9().await;
    // The grandchild has no parent that dies with the worker; the worker's next start finds and kills it.
    doomed.restart().await;
    fleet.gone("-fake-hang").await;
    fleet.chief().cancel(id).await.unwrap();
    fleet.wait(id).until(JobStatus::Canceled).await;
}

#[tokio::test]
async fn a_coordinator_is_killed_and_restarted_and_the_follower_misses_nothing() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let (one, two, three) = (fleet.gate("one"), fleet.gate("two"), fleet.gate("three"));
    let steps = ["-fake-lines", "500", "-fake-out-lines", "50", "-fake-touch", &one.template(), "-fake-gate"];
    let rest = [&two.template(), "-fake-lines", "500", "-fake-gate", &three.template(), "-fake-bytes", "5:200000"];
    let args = steps.into_iter().chain(rest);
    let local: Vec<String> = args.map(|arg| arg.replace("$Media", fleet.media().to_str().unwrap())).collect();
    let ffleet = fleet.ffleet(["submit".to_owned(), "--".to_owned()].iter().chain(&local)).start();
    one.opened().await;
    ffleet.says("line 499").await;
    fleet.coordinator().kill9().await;
    // The encode goes on without a coordinator, and so does its output.
    two.open();
    fleet.coordinator().restart().await;
    three.open();
    let ran = Ran::of(&ffleet).await.expect(0);
    let lines: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("line ")).collect();
    let expected: Vec<_> = (1..=500).chain(1..=500).map(|n| format!("line {n}")).collect();
    assert_eq!(lines, expected);
    let mut stdout: Vec<u8> = (1..=50).flat_map(|n| format!("out {n}\n").into_bytes()).collect();
    stdout.extend(ffleet_tests::noise(5, 200_000));
    assert!(ran.stdout == stdout, "stdout differs: {} bytes instead of {}", ran.stdout.len(), stdout.len());

    let view = fleet.job(fleet.newest().await).await;
    assert_eq!(view.tasks[0].epoch, 1, "the outage cost nothing");
}

#[tokio::test]
async fn a_coordinator_is_killed_while_submits_come_in() {
    let fleet = Fleet::start().await;
    let api = fleet.api().clone();
    let submits = async {
        let mut ids = Vec::new();
        for n in 0..60 {
            // The same key for every try, however often the library has to try.
            ids.push(api.submit(&job(["-fake-say", &n.to_string()]), &format!("burst-{n}")).await.unwrap().id);
        }
        ids
    };
    let outage = async {
        fleet.coordinator().kill9().await;
        fleet.coordinator().restart().await;
    };
    let (ids, ()) = tokio::join!(submits, outage);
    let page = fleet.chief().jobs(&serde_json::from_value(json!({ "limit": 1000 })).unwrap()).await.unwrap();
    let mut known: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
    known.sort();
    let mut submitted = ids.clone();
    submitted.sort();
    assert_eq!(known, submitted, "every acknowledged job is there, once");
}

#[tokio::test]
async fn a_worker_restarted_under_the_same_name_hands_its_leases_on() {
    let fleet = Fleet::start().await;
    let box_ = fleet.worker("box").await;
    let (up, go) = (fleet.gate("up"), fleet.gate("go"));
    let id = fleet.submit(&job(["-fake-append", &up.template(), "tried", "-fake-gate", &go.template()])).await;
    up.opened().await;
    box_.kill9().await;
    box_.restart().await;
    // With the lease of 35 s this would take long if the new start did not end it.
    fleet.wait(id).until_attempt_ended(1).await;
    fleet.worker("other").await;
    fleet.wait(id).until_attempt(2).await;
    go.open();
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!((end.tasks[0].crashes, end.tasks[0].failures), (1, 0));
    assert_eq!(up.text(), "tried\ntried\n");
}

#[tokio::test]
async fn an_end_that_could_not_be_told_is_told_after_the_restart() {
    let fleet = Fleet::start().await;
    let box_ = fleet.worker("box").await;
    let (up, go, over) = (fleet.gate("up"), fleet.gate("go"), fleet.gate("over"));
    let steps = ["-fake-touch", &up.template(), "-fake-gate", &go.template(), "-fake-append", &over.template(), "once"];
    let id = fleet.submit(&spec(steps, json!({}))).await;
    up.opened().await;
    fleet.coordinator().kill9().await;
    go.open();
    over.opened().await;
    box_.keeps_a_report().await;
    box_.kill9().await;
    fleet.coordinator().restart().await;
    box_.restart().await;
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!(end.tasks[0].attempts.len(), 1);
    assert_eq!(over.text(), "once\n", "it was not run again");
}

#[tokio::test]
async fn a_task_that_kills_its_workers_ends_as_poison_and_leaves_the_others_alone() {
    let fleet = Fleet::start().await;
    let mut workers = BTreeMap::new();
    for name in ["one", "two", "three"] {
        workers.insert(name.to_owned(), fleet.worker(name).await);
    }
    let poison = fleet.submit(&job(["-fake-say", "up", "-fake-kill-worker", "9"])).await;
    let mut others = Vec::new();
    for attempt in 1..=3 {
        let worker = &workers[&fleet.wait(poison).until_attempt(attempt).await];
        worker.process().ended().await;
        others.push(fleet.submit(&job(["-fake-say", "x"])).await);
        // The next start of it says that the one before has died; nobody has to wait for the lease.
        worker.restart().await;
    }
    let end = fleet.wait(poison).until(JobStatus::Failed).await;
    assert_eq!(end.summary.outcome.unwrap().failure.unwrap().as_str(), "poison");
    let task = &end.tasks[0];
    assert_eq!((task.crashes, task.failures, task.epoch), (3, 0, 3));
    let tried: BTreeSet<_> = task.attempts.iter().map(|attempt| attempt.worker.to_string()).collect();
    assert_eq!(tried.len(), 3, "each worker was avoided after it had died: {tried:?}");
    for id in others {
        let end = fleet.wait(id).until(JobStatus::Completed).await;
        assert_eq!((end.tasks[0].crashes, end.tasks[0].failures), (0, 0));
    }
}

#[tokio::test]
async fn whoever_was_beside_a_task_that_kills_its_workers_does_not_end_with_it() {
    let fleet = Fleet::start().await;
    let both = [fleet.submit(&job(["-fake-hang"])).await, fleet.submit(&job(["-fake-hang"])).await];
    for name in ["one", "two"] {
        let hand = fleet.hand(name, 2).await;
        hand.take().await;
        hand.take().await;
        // It starts anew and knows of neither: one of them has taken it down.
        hand.restarted(Vec::new()).await;
        for id in both {
            fleet.wait(id).until(JobStatus::Pending).await;
        }
    }
    let third = fleet.hand("three", 2).await;
    let mut granted = third.claim_with(Token::new(), 2, 0).await.unwrap().unwrap().grants;
    assert_eq!(granted.len(), 1, "one more loss would end both, so they are not together any more");
    let first = Held { grant: granted.remove(0) };
    third.accept(&first).await.unwrap();
    assert!(third.claim_with(Token::new(), 1, 0).await.unwrap().is_none());
    // It was innocent; now it is the other one's turn.
    third.finish(&first, 0).await.unwrap();
    let second = third.take().await;
    third.finish(&second, 0).await.unwrap();
    for id in both {
        let end = fleet.wait(id).until(JobStatus::Completed).await;
        assert_eq!(end.tasks[0].crashes, 2);
    }
}

#[tokio::test]
async fn a_worker_whose_coordinator_stays_away_stops_before_its_lease_can_lapse() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    let box_ = fleet.worker("box").await;
    let id = fleet.submit(&job(["-fake-say", "up", "-fake-hang"])).await;
    fleet.wait(id).until_says("up").await;
    // Its time stands still for the worker's requests: nothing is answered, nothing is refused.
    let coordinator = fleet.coordinator().process();
    coordinator.stop();
    fleet.gone("-fake-hang").await;
    assert!(box_.process().is_alive());
    coordinator.cont();
    fleet.chief().cancel(id).await.unwrap();
    fleet.wait(id).until(JobStatus::Canceled).await;
}

#[tokio::test]
async fn a_second_follower_sees_the_same_from_the_first_record_on() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let go = fleet.gate("go");
    let id = fleet.submit(&job(["-fake-lines", "40", "-fake-bytes", "9:5000", "-fake-gate", &go.template()])).await;
    fleet.wait(id).until_says("line 40").await;
    let late = fleet.wait(id).everything();
    let early = async {
        go.open();
        fleet.wait(id).everything().await
    };
    let (late, early) = tokio::join!(late, early);
    assert_eq!(stderr_text(&late), stderr_text(&early));
    assert_eq!(output(&late, Stream::Stdout), output(&early, Stream::Stdout));
    assert!(matches!(late.last(), Some(FollowRecord::Outcome { .. })));
}
