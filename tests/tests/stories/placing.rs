//! Which worker gets what, and why one does not.

use ffleet_protocol::state::JobStatus;
use ffleet_tests::{Fleet, WorkerSetup, job, spec};
use serde_json::json;

#[tokio::test]
async fn work_goes_only_where_everything_it_needs_is_proven() {
    let fleet = Fleet::start().await;
    fleet.worker("plain").await;
    let needs = json!({ "needs": { "tags": ["gpu"] } });
    let tagged = fleet.submit(&spec(["-fake-say", "x"], needs)).await;
    let elsewhere = fleet.submit(&job(["-i", "$Archive/a.mkv"])).await;
    for (id, word) in [(tagged, "gpu"), (elsewhere, "Archive")] {
        let why = fleet.api().explain(id).await.unwrap();
        let reason = why.tasks[0].workers[0].reason.clone().unwrap_or_default();
        assert!(reason.contains(word), "{why:?}");
    }
    let archive = fleet.dir().join("archive");
    std::fs::create_dir(&archive).unwrap();
    fleet.worker_with(WorkerSetup::new("rich").tag("gpu").path("Archive", &archive)).await;
    for id in [tagged, elsewhere] {
        let end = fleet.wait(id).until(JobStatus::Completed).await;
        assert_eq!(end.tasks[0].attempts[0].worker.as_str(), "rich");
    }
}

#[tokio::test]
async fn a_variable_whose_folder_is_missing_is_not_offered() {
    let fleet = Fleet::start().await;
    let missing = fleet.dir().join("not-mounted");
    fleet.worker_with(WorkerSetup::new("half").path("Archive", &missing)).await;
    let view = fleet.chief().worker(&ffleet_protocol::id::WorkerId::new("half").unwrap()).await.unwrap();
    let names: Vec<_> = view.capabilities.variables.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["Media"]);
    assert!(view.capabilities.problems.iter().any(|problem| problem.contains("Archive")), "{view:?}");
}

#[tokio::test]
async fn a_task_that_leaves_its_folder_by_a_link_is_rejected() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    std::os::unix::fs::symlink("/etc", fleet.media().join("way-out")).unwrap();
    let id = fleet.submit(&job(["-i", "$Media/way-out/passwd", "-fake-say", "never"])).await;
    fleet.wait(id).until_attempt_ended(1).await;
    let view = fleet.job(id).await;
    assert_eq!(view.tasks[0].rejections, 1);
    assert!(view.tasks[0].attempts[0].message.is_some(), "{view:?}");
    fleet.api().cancel(id).await.unwrap();
}

#[tokio::test]
async fn a_command_without_a_shared_folder_works_in_an_empty_one() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let ran =
        fleet.ffleet(["submit", "--", "-fake-touch", "left-here", "-fake-say", "done"]).cwd("/").run().await.expect(0);
    assert!(ran.stderr.contains("empty"), "the answer says so: {}", ran.stderr);
    assert!(!std::path::Path::new("/left-here").exists());
    assert!(!fleet.media().join("left-here").exists());
}
