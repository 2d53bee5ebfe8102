//! `ffleet` ends as the program ended.

use ffleet_protocol::state::{JobStatus, TaskStatus};
use ffleet_tests::{Fleet, spec};
use serde_json::json;

#[tokio::test]
async fn the_exit_code_is_the_programs_own() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    for code in [0, 1, 42, 255] {
        let ran = fleet.ffleet(["submit", "--retries", "0", "--", "-fake-exit", &code.to_string()]).run().await;
        assert_eq!(ran.code, code, "{}", ran.stderr);
    }
    // 255 is what FFmpeg ends with on SIGTERM. Nobody here sent one, so it is a plain code.
    let end = fleet.job(fleet.newest().await).await.summary.outcome.unwrap();
    assert_eq!((end.status, end.exit_code, end.signal), (JobStatus::Failed, Some(255), None));
}

#[tokio::test]
async fn a_death_by_signal_is_128_and_its_number() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    for (signal, code) in [("9", 137), ("11", 139)] {
        let ran = fleet.ffleet(["submit", "--retries", "0", "--", "-fake-signal", signal]).run().await;
        assert_eq!(ran.code, code, "{}", ran.stderr);
    }
    let end = fleet.job(fleet.newest().await).await.summary.outcome.unwrap();
    assert_eq!((end.exit_code, end.signal, end.failure.unwrap().as_str()), (None, Some(11), "signaled"));
}

#[tokio::test]
async fn json_tells_the_finer_cause() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let ran = fleet.ffleet(["submit", "--json", "--", "-fake-say", "hello", "-fake-exit", "3"]).run().await.expect(3);
    let lines: Vec<serde_json::Value> = ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcome = &lines.iter().find(|line| line["type"] == "outcome").unwrap()["outcome"];
    assert_eq!((&outcome["status"], &outcome["exit_code"]), (&json!("failed"), &json!(3)));
    assert!(lines.iter().any(|line| line["type"] == "output" && line["text"] == "hello"), "{}", ran.text());
}

#[tokio::test]
async fn what_the_coordinator_refuses_is_125_with_its_reason() {
    let fleet = Fleet::start().await;
    for (args, word) in [
        (vec!["submit", "--", "-i", "/nowhere/a.mkv", "out.mkv"], "/nowhere/a.mkv"),
        (vec!["submit", "--binary", "vlc", "--", "a.mkv"], "vlc"),
        (vec!["submit", "--", "-i", "-", "out.mkv"], "tandard input"),
        (vec!["submit", "--template", "--", "-i", "$", "out.mkv"], "$"),
        (vec!["job", "show", "ffffffff"], "ffffffff"),
    ] {
        let ran = fleet.ffleet(&args).run().await.expect(125);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn waiting_for_several_ends_with_the_first_bad_code() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let mut ids = Vec::new();
    for code in ["0", "7", "9"] {
        ids.push(fleet.submit(&spec(["-fake-exit", code], json!({ "retry": { "retries": 0 } }))).await.to_string());
    }
    let wait = |ids: &[String]| fleet.ffleet(["job".to_owned(), "wait".to_owned()].iter().chain(ids)).run();
    let _ = wait(&ids).await.expect(7);
    let _ = wait(&ids[..1]).await.expect(0);
}

#[tokio::test]
async fn a_run_timeout_is_a_failure_without_a_code() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let ran = fleet.ffleet(["submit", "--timeout", "1s", "--", "-fake-hang"]).run().await.expect(125);
    assert!(ran.stderr.contains("longer than its job allows") || ran.stderr.contains("timed"), "{}", ran.stderr);
    let view = fleet.job(fleet.newest().await).await;
    assert_eq!(view.summary.outcome.unwrap().failure.unwrap().as_str(), "timed_out");
    assert_eq!(view.tasks[0].status, TaskStatus::Failed);
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_then_told() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let again = json!({ "retry": { "retries": 1, "on": [{ "exit_code": 5 }] } });
    let id = fleet.submit(&spec(["-fake-say", "here", "-fake-exit", "5"], again)).await;
    fleet.wait(id).until_attempt_ended(1).await;
    let view = fleet.job(id).await;
    assert_eq!((view.summary.status, view.tasks[0].failures), (JobStatus::Pending, 1));
    assert!(view.tasks[0].not_before.is_some(), "the next try waits");
    let end = fleet.wait(id).until(JobStatus::Failed).await;
    assert_eq!(end.tasks[0].attempts.len(), 2);
    assert_eq!(end.summary.outcome.unwrap().exit_code, Some(5));
}
