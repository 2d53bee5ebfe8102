//! Encryption with an authority of one's own: whoever was given its certificate gets in, and all others are told what to do.

use std::fs;

use ffleet_protocol::state::JobStatus;
use ffleet_servers::Authority;
use ffleet_tests::{Fleet, WorkerSetup, job};

#[tokio::test]
async fn callers_believe_the_authority_they_were_given_and_no_other() {
    let fleet = Fleet::setup().encrypted().start().await;
    // All of these through HAProxy, which has the coordinator prove itself as well.
    fleet.worker("box").await;
    let said = fleet.ffleet(["submit", "--", "-fake-say", "hello"]).run().await.expect(0);
    assert!(said.stderr.contains("hello"), "{}", said.stderr);
    // And the coordinator without anybody between.
    let alone = fleet.api_at(0, "studio");
    let id = alone.submit(&job(["-fake-say", "x"]), "key").await.unwrap().id;
    fleet.wait(id).until(JobStatus::Completed).await;

    let stranger = fleet.dir().join("stranger.pem");
    fs::write(&stranger, Authority::new("somebody else's").pem()).unwrap();
    let refused = fleet.ffleet(["job", "list"]).env("FFLEET_CA_FILE", &stranger).run().await;
    assert_ne!(refused.code, 0);
    let what_to_do =
        "signed by nobody who is trusted here; set `ca_file` to a file with the certificate of the authority";
    assert!(refused.stderr.contains(what_to_do), "{}", refused.stderr);
    let refused = fleet.worker_check(WorkerSetup::new("lost").ca_file(&stranger)).await;
    assert!(refused.code != 0 && refused.text().contains(what_to_do), "{}", refused.text());

    let missing = fleet.dir().join("none.pem");
    let refused = fleet.ffleet(["job", "list"]).env("FFLEET_CA_FILE", &missing).run().await;
    assert!(refused.code != 0 && refused.stderr.contains("ca_file"), "{}", refused.stderr);
    assert!(refused.stderr.contains("none.pem: No such file"), "{}", refused.stderr);

    // HAProxy's certificate is made for its address.
    let port = fleet.front_port();
    let elsewhere = format!("https://localhost:{port}");
    let refused = fleet.ffleet(["job", "list"]).env("FFLEET_COORDINATORS", &elsewhere).run().await;
    assert!(
        refused.code != 0 && refused.stderr.contains("write a name that it has into `coordinators`"),
        "{}",
        refused.stderr
    );
    // The encrypted port, called without encryption.
    let plain = format!("http://127.0.0.1:{port}");
    let refused = fleet.ffleet(["job", "list"]).env("FFLEET_COORDINATORS", &plain).run().await;
    assert!(refused.code != 0, "{}", refused.stderr);
}
