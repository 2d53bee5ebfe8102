//! Workers that leave, and workers that are told to take nothing.

use ffleet_protocol::{
    job::AttemptEnd,
    state::{JobStatus, WorkerState},
};
use ffleet_tests::{Fleet, job};

#[tokio::test]
async fn a_leaving_worker_finishes_what_runs_and_takes_nothing_new() {
    let fleet = Fleet::start().await;
    let leaving = fleet.worker("leaving").await;
    let (go, up) = (fleet.gate("go"), fleet.gate("up"));
    let first = fleet.submit(&job(["-fake-touch", &up.template(), "-fake-gate", &go.template()])).await;
    up.opened().await;
    leaving.drain();
    leaving.process().says("stopping: no new work").await;
    let second = fleet.submit(&job(["-fake-say", "later"])).await;
    go.open();
    assert!(leaving.process().ended().await.success());
    let end = fleet.wait(first).until(JobStatus::Completed).await;
    assert_eq!(end.tasks[0].attempts.len(), 1);
    assert_eq!(fleet.job(second).await.summary.status, JobStatus::Pending);
    assert_eq!(fleet.chief().worker(&leaving.id()).await.unwrap().state, WorkerState::Offline);
    fleet.worker("next").await;
    fleet.wait(second).until(JobStatus::Completed).await;
}

#[tokio::test]
async fn a_second_signal_hands_the_work_back() {
    let fleet = Fleet::start().await;
    let leaving = fleet.worker("leaving").await;
    let (up, go) = (fleet.gate("up"), fleet.gate("go"));
    let id = fleet.submit(&job(["-fake-append", &up.template(), "x", "-fake-gate", &go.template()])).await;
    up.opened().await;
    leaving.drain();
    leaving.process().says("stopping: no new work").await;
    leaving.drain();
    leaving.process().ended().await;
    fleet.gone("-fake-gate").await;
    let view = fleet.job(id).await;
    assert_eq!((view.summary.status, view.tasks[0].failures, view.tasks[0].crashes), (JobStatus::Pending, 0, 0));
    assert_eq!(view.tasks[0].attempts[0].end, Some(AttemptEnd::Rejected), "handed back");
    fleet.worker("heir").await;
    go.open();
    fleet.wait(id).until(JobStatus::Completed).await;
}

#[tokio::test]
async fn an_admin_drains_a_worker_from_afar() {
    let fleet = Fleet::start().await;
    let far = fleet.worker("far").await;
    let (up, go) = (fleet.gate("up"), fleet.gate("go"));
    let id = fleet.submit(&job(["-fake-touch", &up.template(), "-fake-gate", &go.template()])).await;
    up.opened().await;
    let _ = fleet.ffleet_as("chief", ["worker", "drain", "far"]).run().await.expect(0);
    assert_eq!(fleet.chief().worker(&far.id()).await.unwrap().state, WorkerState::Draining);
    go.open();
    fleet.wait(id).until(JobStatus::Completed).await;
    assert!(far.process().ended().await.success());
}

#[tokio::test]
async fn a_paused_worker_takes_nothing_until_it_is_resumed() {
    let fleet = Fleet::start().await;
    let lazy = fleet.worker("lazy").await;
    let _ = fleet.ffleet_as("chief", ["worker", "pause", "lazy"]).run().await.expect(0);
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let why = fleet.api().explain(id).await.unwrap();
    let reason = why.tasks[0].workers[0].reason.clone().unwrap_or_default();
    assert!(reason.contains("paused"), "{why:?}");
    // Pausing outlives a restart of the worker.
    lazy.term().await;
    lazy.restart().await;
    assert_eq!(fleet.chief().worker(&lazy.id()).await.unwrap().state, WorkerState::Paused);
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Pending);
    let _ = fleet.ffleet_as("chief", ["worker", "resume", "lazy"]).run().await.expect(0);
    fleet.wait(id).until(JobStatus::Completed).await;
}

#[tokio::test]
async fn clients_do_not_steer_workers() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let ran = fleet.ffleet(["worker", "drain", "box"]).run().await.expect(125);
    assert!(ran.stderr.contains("role"), "{}", ran.stderr);
}
