//! The other commands of `ffleet`, against a live fleet.

use ffleet_protocol::state::JobStatus;
use ffleet_tests::{Fleet, job};

#[tokio::test]
async fn list_show_explain_and_status_speak_of_what_is_there() {
    let fleet = Fleet::start().await;
    let id = fleet.submit(&job(["-i", "$Media/a.mkv", "b.mkv"])).await;
    let short = id.to_string();
    let list = fleet.ffleet(["job", "list"]).run().await.expect(0).text();
    assert!(list.contains(&short) && list.contains("pending") && list.contains("$Media/a.mkv"), "{list}");
    let show = fleet.ffleet(["job", "show", "last"]).run().await.expect(0).text();
    assert!(show.contains(&short) && show.contains("studio"), "{show}");
    let explain = fleet.ffleet(["job", "explain", &short]).run().await.expect(0).text();
    assert!(explain.to_lowercase().contains("no worker"), "{explain}");
    fleet.worker("box").await;
    fleet.wait(id).until(JobStatus::Completed).await;
    let workers = fleet.ffleet(["worker", "list"]).run().await.expect(0).text();
    assert!(workers.contains("box") && workers.contains("online"), "{workers}");
    let worker = fleet.ffleet(["worker", "show", "box"]).run().await.expect(0).text();
    assert!(worker.contains("Media") && worker.contains("ffmpeg"), "{worker}");
    let status = fleet.ffleet(["status"]).run().await.expect(0).text();
    assert!(status.contains("completed") || status.contains("1"), "{status}");
}

#[tokio::test]
async fn json_is_one_object_a_line() {
    let fleet = Fleet::start().await;
    for n in 0..3 {
        fleet.submit(&job(["-fake-say", &n.to_string()])).await;
    }
    let list = fleet.ffleet(["job", "list", "--json"]).run().await.expect(0).text();
    let rows: Vec<serde_json::Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    let show = fleet.ffleet(["--json", "job", "show", rows[0]["id"].as_str().unwrap()]).run().await.expect(0);
    assert_eq!(show.json()["id"], rows[0]["id"]);
    assert_eq!(show.json()["tasks"][0]["status"], "pending");
    assert!(fleet.ffleet(["status", "--json"]).run().await.expect(0).json()["jobs"]["pending"] == 3);
}

#[tokio::test]
async fn labels_and_filters_find_jobs() {
    let fleet = Fleet::start().await;
    let submit = |label: &'static str| {
        fleet.ffleet(["submit", "--detach", "--label", label, "--priority", "3", "--", "-fake-say", "x"]).run()
    };
    let id = submit("show=pilot").await.expect(0).text().trim().to_owned();
    let _ = submit("show=finale").await.expect(0);
    let found = fleet.ffleet(["job", "list", "--json", "--label", "show=pilot"]).run().await.expect(0);
    assert_eq!(found.json()["id"], id);
    assert_eq!(found.json()["priority"], 3);
    let none = fleet.ffleet(["job", "list", "--json", "--status", "running"]).run().await.expect(0);
    assert_eq!(none.text(), "");
}

#[tokio::test]
async fn retry_submits_again() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let _ = fleet.ffleet(["submit", "--retries", "0", "--", "-fake-exit", "9"]).run().await.expect(9);
    let first = fleet.newest().await;
    let ran = fleet.ffleet(["job", "retry", &first.to_string()]).run().await;
    assert!([0, 9].contains(&ran.code), "{}", ran.stderr);
    let second = fleet.newest().await;
    assert_ne!(first, second);
    fleet.wait(second).until(JobStatus::Failed).await;
}

#[tokio::test]
async fn an_unreachable_coordinator_is_said_with_advice() {
    let fleet = Fleet::start().await;
    fleet.coordinator().kill9().await;
    let ran = fleet.ffleet(["status"]).env("FFLEET_DEADLINE_S", "1").run().await.expect(125);
    let url = fleet.coordinator().url();
    assert!(ran.stderr.contains(url.as_str().trim_end_matches('/')), "{}", ran.stderr);
    fleet.coordinator().restart().await;
}

#[tokio::test]
async fn the_configuration_can_be_checked() {
    let fleet = Fleet::start().await;
    let ran = fleet.ffleet(["config", "check"]).run().await.expect(0);
    assert!(ran.text().contains("Media") || ran.stderr.contains("Media"), "{}{}", ran.text(), ran.stderr);
    let key = std::fs::read_to_string(fleet.dir().join("keys/studio.key")).unwrap();
    let secret = key.trim().split_once(':').unwrap().1.to_owned();
    assert!(!ran.text().contains(&secret) && !ran.stderr.contains(&secret));
}

#[tokio::test]
async fn completions_are_scripts() {
    let fleet = Fleet::start().await;
    for shell in ["bash", "zsh", "fish"] {
        let ran = fleet.ffleet(["completions", shell]).run().await.expect(0);
        assert!(ran.text().contains("ffleet"), "{shell}");
    }
}
