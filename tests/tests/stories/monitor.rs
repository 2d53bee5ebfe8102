//! Clients that die: a detached job does not mind, a monitored one is canceled.

use ffleet_protocol::state::{CancelReason, JobStatus};
use ffleet_tests::{Fleet, SHORT_LEASES};

#[tokio::test]
async fn a_job_goes_on_when_its_client_dies() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let go = fleet.gate("go");
    let ffleet = fleet.ffleet(["submit", "--", "-fake-say", "up", "-fake-gate", go.path()]).start();
    ffleet.says("up").await;
    ffleet.kill9().await;
    let id = fleet.newest().await;
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Running);
    go.open();
    fleet.wait(id).until(JobStatus::Completed).await;
}

#[tokio::test]
async fn a_monitored_job_is_canceled_when_its_client_dies() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    fleet.worker("box").await;
    let ffleet = fleet.ffleet(["submit", "--monitor", "--", "-fake-say", "up", "-fake-hang"]).start();
    ffleet.says("up").await;
    ffleet.kill9().await;
    let id = fleet.newest().await;
    let end = fleet.wait(id).until(JobStatus::Canceled).await;
    assert_eq!(end.summary.outcome.unwrap().canceled, Some(CancelReason::ClientGone));
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn a_monitored_job_lives_as_long_as_its_client() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    fleet.worker("box").await;
    let go = fleet.gate("go");
    let ffleet = fleet.ffleet(["submit", "--monitor", "--", "-fake-say", "up", "-fake-gate", go.path()]).start();
    ffleet.says("up").await;
    // Somebody else's monitored job, whose client dies now, measures the time.
    let doomed = fleet.ffleet(["submit", "--monitor", "--detach", "--", "-fake-hang"]).run().await.expect(0);
    let doomed = doomed.text().trim().parse().unwrap();
    fleet.wait(doomed).until(JobStatus::Canceled).await;
    go.open();
    let _ = ffleet_tests::Ran::of(&ffleet).await.expect(0);
}
