//! What has an identity is done once, however often and by whatever way it is asked for.

use std::collections::BTreeSet;

use ffleet_protocol::{
    job::{BatchAnswer, BatchItem, BatchRequest, JobFilter, JobSpec},
    problem::Code,
    state::JobStatus,
};
use ffleet_tests::{Fleet, spec};
use serde_json::json;
use uuid::Uuid;

fn named(identity: &str, exit: &str) -> JobSpec {
    spec(["-fake-exit", exit], json!({ "identity": identity, "retry": { "retries": 0 } }))
}

/// A batch as a new run of a command would send it: with idempotency keys of its own.
fn batch(specs: impl IntoIterator<Item = JobSpec>, again: bool) -> BatchRequest {
    let item = |job| BatchItem { idempotency_key: Uuid::new_v4().to_string(), job };
    BatchRequest { jobs: specs.into_iter().map(item).collect(), again }
}

fn new(answer: &BatchAnswer) -> usize {
    answer.jobs.iter().filter(|job| !job.existing).count()
}

#[tokio::test]
async fn only_what_is_missing_is_made() {
    let fleet = Fleet::start().await;
    let first = fleet.api().batch(&batch([named("a", "0"), named("b", "0")], false)).await.unwrap();
    assert_eq!(new(&first), 2);
    // The rest of the job may be another one; what it is stays the same.
    let urgent = JobSpec { priority: 7, ..named("b", "0") };
    let second = fleet.api().batch(&batch([urgent, named("c", "0")], false)).await.unwrap();
    assert_eq!((new(&second), second.jobs[0].id), (1, first.jobs[1].id));
    let single = fleet.api().submit(&named("c", "0"), "key").await.unwrap();
    assert!(single.existing && single.id == second.jobs[1].id, "{single:?}");
    let chief = fleet.chief().submit(&named("c", "0"), "key").await.unwrap();
    assert!(!chief.existing, "each account has its own");
    assert_eq!(fleet.api().jobs(&JobFilter::default()).await.unwrap().jobs.len(), 3);

    let again = fleet.api().batch(&batch([named("a", "0"), named("b", "0")], true)).await.unwrap();
    assert_eq!(new(&again), 2);
    let third = fleet.api().batch(&batch([named("a", "0")], false)).await.unwrap();
    assert_eq!(third.jobs[0].id, again.jobs[0].id, "it is the newest job's now");
}

#[tokio::test]
async fn a_repeated_request_has_its_first_answer() {
    let fleet = Fleet::start().await;
    let request = batch([named("a", "0"), named("b", "0")], true);
    let first = fleet.api().batch(&request).await.unwrap();
    let second = fleet.api().batch(&request).await.unwrap();
    assert_eq!(first, second, "its answer was lost; nothing is made twice, and nothing is called old that is new");
    assert_eq!(fleet.api().jobs(&JobFilter::default()).await.unwrap().jobs.len(), 2);
}

#[tokio::test]
async fn runs_of_one_command_at_the_same_time_make_each_job_once() {
    let fleet = Fleet::setup().coordinators(2).start().await;
    let names: Vec<String> = (0..50).map(|n| format!("item-{n}")).collect();
    let runs: Vec<BatchRequest> = (0..8).map(|_| batch(names.iter().map(|name| named(name, "0")), false)).collect();
    let runs = runs.iter().enumerate().map(|(n, run)| {
        let api = fleet.api_at(n % 2, "studio");
        async move { api.batch(run).await.unwrap() }
    });
    let answers = futures_util::future::join_all(runs).await;
    assert_eq!(answers.iter().map(new).sum::<usize>(), 50, "one of them made each");
    let ids: BTreeSet<_> = answers.iter().flat_map(|answer| &answer.jobs).map(|job| job.id).collect();
    assert_eq!(ids.len(), 50);
}

#[tokio::test]
async fn a_retry_takes_the_identity_with_it() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let failed = fleet.api().submit(&named("a", "3"), "first").await.unwrap().id;
    fleet.wait(failed).until(JobStatus::Failed).await;
    let told = fleet.api().submit(&named("a", "3"), "second").await.unwrap();
    assert!(told.existing && told.status == JobStatus::Failed, "a failed one is there; nobody repeats it unasked");
    let retried = fleet.api().retry(failed, Some("third")).await.unwrap().id;
    fleet.wait(retried).until(JobStatus::Failed).await;
    assert_eq!(fleet.api().submit(&named("a", "3"), "fourth").await.unwrap().id, retried);
    assert_eq!(fleet.job(failed).await.summary.retried_by, Some(retried));
    // A retry of the older one is a job of its own; the newest one stays what the identity means.
    let other = fleet.api().retry(failed, Some("fifth")).await.unwrap().id;
    assert_eq!(fleet.api().submit(&named("a", "3"), "sixth").await.unwrap().id, retried);
    fleet.wait(other).until(JobStatus::Failed).await;
    let left = JobFilter { retried: Some(false), status: Some("failed".to_owned()), ..JobFilter::default() };
    let left: BTreeSet<_> = fleet.api().jobs(&left).await.unwrap().jobs.into_iter().map(|job| job.id).collect();
    assert_eq!(left, BTreeSet::from([retried, other]), "those that nobody has repeated");
}

#[tokio::test]
async fn an_identity_is_checked_before_anything_is_made() {
    let fleet = Fleet::start().await;
    for bad in ["", "with space", "\u{e9}", &"x".repeat(129)] {
        let refused = fleet.api().submit(&named(bad, "0"), &Uuid::new_v4().to_string()).await.unwrap_err();
        assert!(refused.is(Code::BadField) && refused.to_string().contains("identity"), "{refused}");
    }
    let twice = fleet.api().batch(&batch([named("a", "0"), named("a", "1")], false)).await.unwrap_err();
    assert!(twice.is(Code::BadField) && twice.to_string().contains("jobs[1].job.identity"), "{twice}");
    assert!(fleet.api().jobs(&JobFilter::default()).await.unwrap().jobs.is_empty());
}
