//! Requests and answers that the network loses, repeats, holds back and cuts: one effect each.

use ffleet_protocol::state::JobStatus;
use ffleet_tests::{Fleet, WorkerSetup, job};

#[tokio::test]
async fn everybody_can_go_through_a_proxy() {
    let fleet = Fleet::setup().proxies(1).start().await;
    let proxy = fleet.proxy(0);
    fleet.worker_with(WorkerSetup::new("box").via(proxy)).await;
    let lost = proxy.on("POST", "/v1/jobs").lose_answer();
    let ran = fleet.ffleet(["submit", "--", "-fake-out", "hello"]).via(&[proxy]).run().await.expect(0);
    assert_eq!((ran.text().as_str(), lost.statuses()), ("hello\n", vec![201]));
    let hand = fleet.hand_via(&[proxy], "by-hand", 1).await;
    fleet.proxy(0).hold(&[ffleet_tests::Way::Request]);
    fleet.proxy(0).heal();
    assert!(hand.leave().await.is_ok());
    let id = fleet.api_via(&[proxy], "studio").submit(&job(["-fake-say", "x"]), "key").await.unwrap().id;
    fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!(fleet.job(fleet.newest().await).await.summary.id, id);
}
