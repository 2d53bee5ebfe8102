//! Asking twice is the same as asking once.

use std::collections::BTreeSet;

use ffleet_protocol::{problem::Code, state::JobStatus};
use ffleet_tests::{Fleet, job, spec};
use serde_json::json;

#[tokio::test]
async fn the_same_key_and_body_is_the_same_job() {
    let fleet = Fleet::start().await;
    let first = fleet.api().submit(&job(["-fake-say", "a"]), "key").await.unwrap();
    let again = fleet.api().submit(&job(["-fake-say", "a"]), "key").await.unwrap();
    assert_eq!(first, again);
    let other = fleet.api().submit(&job(["-fake-say", "b"]), "key").await.unwrap_err();
    assert!(other.is(Code::IdempotencyMismatch), "{other}");
    // Keys are an account's own.
    let chief = fleet.chief().submit(&job(["-fake-say", "b"]), "key").await.unwrap();
    assert_ne!(chief.id, first.id);
}

#[tokio::test]
async fn many_at_once_with_one_key_make_one_job() {
    let fleet = Fleet::setup().coordinators(2).start().await;
    let spec = job(["-fake-say", "once"]);
    let submits = (0..20).map(|_| fleet.api().submit(&spec, "key"));
    let answers = futures_util::future::join_all(submits).await;
    let ids: BTreeSet<_> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(fleet.api().jobs(&Default::default()).await.unwrap().jobs.len(), 1);
}

#[tokio::test]
async fn a_retry_is_a_new_job_that_names_the_old_one() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let once = json!({ "retry": { "retries": 0 }, "labels": { "show": "pilot" } });
    let id = fleet.submit(&spec(["-fake-exit", "2"], once)).await;
    let early = fleet.api().retry(fleet.submit(&job(["-fake-hang"])).await, None).await.unwrap_err();
    assert!(early.is(Code::NotEnded), "{early}");
    fleet.wait(id).until(JobStatus::Failed).await;
    let first = fleet.api().retry(id, Some("again")).await.unwrap();
    let repeated = fleet.api().retry(id, Some("again")).await.unwrap();
    assert_eq!(first.id, repeated.id);
    let view = fleet.job(first.id).await;
    assert_eq!((view.retry_of, view.summary.labels.get("show").map(String::as_str)), (Some(id), Some("pilot")));
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Failed, "terminal is terminal");
    fleet.cancel_all().await;
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    use ffleet_protocol::job::{BatchItem, BatchRequest};
    let fleet = Fleet::start().await;
    let item = |key: &str, args: [&str; 2]| BatchItem { idempotency_key: key.to_owned(), job: job(args) };
    let jobs = vec![item("a", ["-fake-say", "x"]), item("b", ["-i", "/outside/every/variable"])];
    let refused = fleet.api().batch(&BatchRequest { jobs, again: false }).await.unwrap_err();
    assert!(refused.to_string().contains("/outside/every/variable"), "{refused}");
    assert!(fleet.api().jobs(&Default::default()).await.unwrap().jobs.is_empty());
}
