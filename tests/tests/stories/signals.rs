//! A client may ask a running program to stop in its own way; its exit decides what becomes of the job.

use ffleet_protocol::{
    problem::Code,
    state::{JobStatus, SignalKind},
};
use ffleet_tests::{Fleet, job, spec};
use serde_json::json;

#[tokio::test]
async fn quit_is_ffmpegs_q() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let id = fleet.submit(&job(["-fake-progress", "2", "-fake-say", "up", "-fake-hang"])).await;
    fleet.wait(id).until_says("up").await;
    let answer = fleet.api().signal(id, SignalKind::Quit).await.unwrap();
    assert_eq!(answer.status, JobStatus::Running, "a signal is no cancel");
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!(end.summary.outcome.unwrap().exit_code, Some(0));
}

#[tokio::test]
async fn signals_are_passed_on_in_order() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let once = json!({ "retry": { "retries": 0 } });
    let id = fleet.submit(&spec(["-fake-ignore-q", "-fake-ignore-int", "-fake-say", "up", "-fake-hang"], once)).await;
    fleet.wait(id).until_says("up").await;
    for signal in [SignalKind::Quit, SignalKind::Interrupt, SignalKind::Terminate] {
        fleet.api().signal(id, signal).await.unwrap();
    }
    let end = fleet.wait(id).until_done().await.summary.outcome.unwrap();
    assert_eq!((end.status, end.exit_code), (JobStatus::Failed, Some(255)), "FFmpeg's own end on SIGTERM");
}

#[tokio::test]
async fn what_does_not_run_takes_no_signal() {
    let fleet = Fleet::start().await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let refused = fleet.api().signal(id, SignalKind::Quit).await.unwrap_err();
    assert!(refused.is(Code::WrongState), "{refused}");
    fleet.api().cancel(id).await.unwrap();
}
