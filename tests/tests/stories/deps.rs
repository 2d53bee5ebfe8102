//! Jobs that wait for jobs.

use ffleet_protocol::{
    problem::Code,
    state::{JobStatus, TaskStatus},
};
use ffleet_tests::{Fleet, WorkerSetup, job, spec};
use serde_json::json;

#[tokio::test]
async fn a_job_starts_when_the_one_before_has_completed() {
    let fleet = Fleet::start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(2)).await;
    let (go, order) = (fleet.gate("go"), fleet.gate("order"));
    let first = fleet.submit(&job(["-fake-gate", &go.template(), "-fake-append", &order.template(), "first"])).await;
    let args = ["submit", "--detach", "--after", &first.to_string(), "--", "-fake-append", order.path(), "second"];
    let second = fleet.ffleet(args).run().await.expect(0).text().trim().parse().unwrap();
    assert_eq!(fleet.job(second).await.tasks[0].status, TaskStatus::Blocked);
    let why = fleet.api().explain(second).await.unwrap();
    assert!(why.tasks[0].summary.contains(&first.to_string()[..8]), "{why:?}");
    go.open();
    fleet.wait(second).until(JobStatus::Completed).await;
    assert_eq!(order.text(), "first\nsecond\n");
}

#[tokio::test]
async fn what_waits_for_a_failure_fails() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let go = fleet.gate("go");
    let once = json!({ "retry": { "retries": 0 } });
    let first = fleet.submit(&spec(["-fake-gate", &go.template(), "-fake-exit", "1"], once)).await;
    let second = fleet.submit(&spec(["-fake-say", "x"], json!({ "after": [first] }))).await;
    let third = fleet.submit(&spec(["-fake-say", "x"], json!({ "after": [second] }))).await;
    go.open();
    for id in [second, third] {
        let end = fleet.wait(id).until(JobStatus::Failed).await;
        assert_eq!(end.summary.outcome.unwrap().failure.unwrap().as_str(), "dependency_failed");
        assert!(end.tasks[0].attempts.is_empty());
    }
}

#[tokio::test]
async fn what_has_ended_already_decides_at_once() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let good = fleet.submit(&job(["-fake-say", "x"])).await;
    let bad = fleet.submit(&spec(["-fake-exit", "1"], json!({ "retry": { "retries": 0 } }))).await;
    fleet.wait(good).until(JobStatus::Completed).await;
    fleet.wait(bad).until(JobStatus::Failed).await;
    let after_good = fleet.submit(&spec(["-fake-say", "x"], json!({ "after": [good] }))).await;
    let after_both = fleet.submit(&spec(["-fake-say", "x"], json!({ "after": [good, bad] }))).await;
    fleet.wait(after_good).until(JobStatus::Completed).await;
    let end = fleet.wait(after_both).until(JobStatus::Failed).await;
    assert_eq!(end.summary.outcome.unwrap().failure.unwrap().as_str(), "dependency_failed");
}

/// The submit of the second job and the end of the first one race; whichever wins, the second one runs.
#[tokio::test]
async fn a_job_submitted_while_the_one_before_ends_is_not_forgotten() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    for _ in 0..25 {
        let first = fleet.submit(&job(["-fake-say", "x"])).await;
        let held = hand.take().await;
        let after = spec(["-fake-say", "y"], json!({ "after": [first] }));
        let (second, ended) = tokio::join!(fleet.submit(&after), hand.finish(&held, 0));
        ended.unwrap();
        let held = hand.take().await;
        assert_eq!(held.grant.job, second);
        hand.finish(&held, 0).await.unwrap();
        fleet.wait(second).until(JobStatus::Completed).await;
    }
}

#[tokio::test]
async fn nobody_waits_for_what_does_not_exist() {
    let fleet = Fleet::start().await;
    let stranger = ffleet_protocol::id::JobId::new();
    let refused = fleet.api().submit(&spec(["x"], json!({ "after": [stranger] })), "k").await.unwrap_err();
    assert!(refused.is(Code::NoSuchDependency), "{refused}");
}

#[tokio::test]
async fn a_queue_timeout_ends_what_nobody_takes() {
    let fleet = Fleet::setup().config(ffleet_tests::SHORT_LEASES).start().await;
    let id = fleet.submit(&spec(["-fake-say", "x"], json!({ "queue_timeout_s": 1 }))).await;
    let end = fleet.wait(id).until(JobStatus::Failed).await;
    assert_eq!(end.summary.outcome.unwrap().failure.unwrap().as_str(), "queue_timeout");
}
