//! Cancel, in every state a job can be in.

use ffleet_protocol::{
    problem::Code,
    state::{CancelReason, JobStatus, TaskStatus},
    task::{Exit, Order},
};
use ffleet_tests::{Fleet, Ran, WorkerSetup, job};

#[tokio::test]
async fn a_pending_job_is_canceled_at_once() {
    let fleet = Fleet::start().await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    assert_eq!(fleet.api().cancel(id).await.unwrap().status, JobStatus::Canceled);
    // Asking twice is the same as asking once.
    assert_eq!(fleet.api().cancel(id).await.unwrap().status, JobStatus::Canceled);
    let outcome = fleet.job(id).await.summary.outcome.unwrap();
    assert_eq!(outcome.canceled, Some(CancelReason::Requested));
}

#[tokio::test]
async fn a_blocked_job_is_canceled_and_takes_those_that_wait_for_it_along() {
    let fleet = Fleet::start().await;
    let first = fleet.submit(&job(["-fake-hang"])).await;
    let after = |id| ffleet_tests::spec(["-fake-say", "x"], serde_json::json!({ "after": [id] }));
    let second = fleet.submit(&after(first)).await;
    let third = fleet.submit(&after(second)).await;
    fleet.api().cancel(second).await.unwrap();
    let end = fleet.wait(third).until(JobStatus::Failed).await.summary.outcome.unwrap();
    assert_eq!(end.failure.unwrap().as_str(), "dependency_failed");
    assert_eq!(fleet.job(first).await.summary.status, JobStatus::Pending);
}

#[tokio::test]
async fn an_assigned_job_is_canceled_and_its_worker_may_not_begin() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("slow-to-accept", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.claim().await;
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Assigned);
    assert_eq!(fleet.api().cancel(id).await.unwrap().status, JobStatus::Canceled);
    let refused = hand.accept(&held).await.unwrap_err();
    assert!(refused.is(Code::StaleLease), "{refused}");
    let verdicts = hand.beat(&[&held]).await.unwrap().verdicts;
    assert_eq!(verdicts[0].order, Order::Lost);
}

#[tokio::test]
async fn a_running_job_is_stopped_by_its_worker() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let id = fleet.submit(&job(["-fake-say", "up", "-fake-hang"])).await;
    fleet.wait(id).until_says("up").await;
    let answer = fleet.api().cancel(id).await.unwrap();
    assert!(matches!(answer.status, JobStatus::Canceling | JobStatus::Canceled), "{answer:?}");
    let end = fleet.wait(id).until(JobStatus::Canceled).await;
    assert_eq!(end.tasks[0].status, TaskStatus::Canceled);
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn a_program_that_minds_nothing_is_killed_with_its_children() {
    let fleet = Fleet::start().await;
    let stops = "[stop]\nquit_s = 1\nterminate_s = 1\n";
    fleet.worker_with(WorkerSetup::new("box").config(stops)).await;
    let child = fleet.gate("child");
    let deaf =
        ["-fake-ignore-q", "-fake-ignore-int", "-fake-ignore-term", "-fake-child", &child.template(), "-fake-hang"];
    let id = fleet.submit(&job(deaf)).await;
    child.opened().await;
    fleet.api().cancel(id).await.unwrap();
    fleet.wait(id).until(JobStatus::Canceled).await;
    // Its end is told after reaping, so nothing has to be waited for here.
    assert_eq!(fleet.processes_with("-fake-hang"), Vec::<String>::new());
}

#[tokio::test]
async fn a_good_end_that_comes_after_the_cancel_is_still_canceled() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.take().await;
    assert_eq!(fleet.api().cancel(id).await.unwrap().status, JobStatus::Canceling);
    let verdicts = hand.beat(&[&held]).await.unwrap().verdicts;
    assert_eq!(verdicts[0].order, Order::Stop { reason: CancelReason::Requested });
    hand.finish(&held, 0).await.unwrap();
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Canceled);
}

#[tokio::test]
async fn an_ended_job_keeps_its_end() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.take().await;
    hand.finish_with(&held, Exit::Code { code: 0 }, None, 0).await.unwrap();
    match fleet.api().cancel(id).await {
        Ok(answer) => assert_eq!(answer.status, JobStatus::Completed),
        Err(refused) => assert!(refused.is(Code::WrongState), "{refused}"),
    }
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
}

#[tokio::test]
async fn ctrl_c_cancels_the_job_and_waits_for_its_end() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let ffleet = fleet.ffleet(["submit", "--", "-fake-say", "up", "-fake-hang"]).start();
    ffleet.says("up").await;
    let ran = Ran::interrupted(&ffleet).await.expect(130);
    assert!(ran.stderr.contains("cancel"), "{}", ran.stderr);
    assert_eq!(fleet.job(fleet.newest().await).await.summary.status, JobStatus::Canceled);
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn a_second_ctrl_c_stops_waiting_and_says_how_to_attach() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("never-confirms", 1).await;
    let ffleet = fleet.ffleet(["submit", "--", "-fake-hang"]).start();
    let held = hand.take().await;
    let id = fleet.newest().await;
    fleet.wait(id).until(JobStatus::Running).await;
    ffleet.says("attempt 1").await;
    ffleet.signal(nix::sys::signal::Signal::SIGINT);
    fleet.wait(id).until(JobStatus::Canceling).await;
    let ran = Ran::interrupted(&ffleet).await.expect(130);
    assert!(ran.stderr.contains("attach"), "{}", ran.stderr);
    hand.finish_with(&held, Exit::Stopped, None, 0).await.unwrap();
    fleet.wait(id).until(JobStatus::Canceled).await;
}

#[tokio::test]
async fn cancel_from_another_terminal_ends_the_follower_with_130() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let ffleet = fleet.ffleet(["submit", "--", "-fake-say", "up", "-fake-hang"]).start();
    ffleet.says("up").await;
    let _ = fleet.ffleet(["job", "cancel", "last"]).run().await.expect(0);
    let _ = Ran::of(&ffleet).await.expect(130);
}
