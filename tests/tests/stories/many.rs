//! Many jobs, and jobs that wait long before anybody is there.

use std::collections::{BTreeMap, BTreeSet};

use ffleet_protocol::{
    job::{BatchItem, BatchRequest, JobFilter},
    state::JobStatus,
};
use ffleet_tests::{Fleet, WorkerSetup, job};

fn batch(count: usize, steps: impl Fn(usize) -> Vec<String>) -> BatchRequest {
    let item = |n| BatchItem { idempotency_key: format!("item-{n}"), job: job(steps(n)) };
    BatchRequest { jobs: (0..count).map(item).collect(), again: false }
}

/// 200 jobs that were submitted before any worker existed, two workers, and each job runs exactly once.
#[tokio::test]
async fn a_backlog_is_worked_off_and_nothing_runs_twice() {
    const COUNT: usize = 200;
    let fleet = Fleet::start().await;
    let ran = fleet.gate("ran");
    let steps = |n: usize| vec!["-fake-append".to_owned(), ran.template(), format!("job {n}")];
    let submitted = fleet.api().batch(&batch(COUNT, steps)).await.unwrap();
    assert_eq!(submitted.jobs.len(), COUNT);
    assert!(!submitted.jobs[0].warnings.is_empty(), "nobody can run it yet, and the answer says so");
    let again = fleet.api().batch(&batch(COUNT, steps)).await.unwrap();
    let ids = |answer: &ffleet_protocol::job::BatchAnswer| answer.jobs.iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(&submitted), ids(&again), "the same keys are the same jobs");

    for name in ["left", "right"] {
        fleet.worker_with(WorkerSetup::new(name).slots(4)).await;
    }
    let mut workers = BTreeMap::new();
    for id in ids(&submitted) {
        let end = fleet.wait(id).until(JobStatus::Completed).await;
        assert_eq!(end.tasks[0].attempts.len(), 1);
        *workers.entry(end.tasks[0].attempts[0].worker.clone()).or_insert(0) += 1;
    }
    let text = ran.text();
    let lines: BTreeSet<_> = text.lines().collect();
    assert_eq!((lines.len(), text.lines().count()), (COUNT, COUNT), "each job ran once");
    assert_eq!(workers.len(), 2, "both workers had a part: {workers:?}");
}

#[tokio::test]
async fn one_requesters_flood_does_not_hold_up_another() {
    let fleet = Fleet::start().await;
    let order = fleet.gate("order");
    let say = |word: String| vec!["-fake-append".to_owned(), order.template(), word];
    fleet.api().batch(&batch(40, |n| say(format!("flood {n}")))).await.unwrap();
    let other = fleet.account("other", ffleet_protocol::state::Role::Client, Default::default()).await;
    for n in 0..3 {
        other.submit(&job(say(format!("other {n}"))), &format!("other-{n}")).await.unwrap();
    }
    fleet.worker("box").await;
    let page = other.jobs(&JobFilter::default()).await.unwrap();
    for job in page.jobs {
        fleet.wait(job.id).until(JobStatus::Completed).await;
    }
    let text = order.text();
    let last = text.lines().position(|line| line == "other 2").unwrap();
    assert!(last < 12, "the other one's last job was number {last}:\n{text}");
    fleet.cancel_all().await;
}

#[tokio::test]
async fn higher_priority_goes_first_and_age_decides_among_equals() {
    let fleet = Fleet::start().await;
    let order = fleet.gate("order");
    let mut last = None;
    for (word, priority) in [("c", 0), ("d", 0), ("a", 10), ("b", 5), ("e", -3)] {
        let args = ["-fake-append", &order.template(), word];
        last = Some(fleet.submit(&ffleet_tests::spec(args, serde_json::json!({ "priority": priority }))).await);
    }
    fleet.worker("box").await;
    fleet.wait(last.unwrap()).until(JobStatus::Completed).await;
    assert_eq!(order.text(), "a\nb\nc\nd\ne\n");
}

#[tokio::test]
async fn waiting_workers_share_what_comes() {
    let fleet = Fleet::start().await;
    for name in ["left", "right"] {
        fleet.worker_with(WorkerSetup::new(name).slots(4)).await;
    }
    let go = fleet.gate("go");
    let answer = fleet.api().batch(&batch(8, |_| vec!["-fake-gate".to_owned(), go.template()])).await.unwrap();
    for job in &answer.jobs {
        fleet.wait(job.id).until(JobStatus::Running).await;
    }
    let busy: Vec<_> = fleet.chief().workers().await.unwrap().workers.into_iter().map(|worker| worker.busy).collect();
    assert_eq!(busy, [4, 4], "all slots are in use");
    go.open();
    for job in &answer.jobs {
        fleet.wait(job.id).until(JobStatus::Completed).await;
    }
}

#[tokio::test]
async fn listings_are_paged_without_repetition() {
    let fleet = Fleet::start().await;
    let answer = fleet.api().batch(&batch(25, |n| vec!["-fake-say".to_owned(), n.to_string()])).await.unwrap();
    let mut seen = Vec::new();
    let mut filter = JobFilter { limit: Some(10), ..JobFilter::default() };
    loop {
        let page = fleet.api().jobs(&filter).await.unwrap();
        seen.extend(page.jobs.iter().map(|job| job.id));
        // A job that comes in between moves nothing that is still to be shown.
        fleet.submit(&job(["-fake-say", "new"])).await;
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    let mut expected: Vec<_> = answer.jobs.iter().map(|job| job.id).collect();
    expected.sort();
    expected.reverse();
    assert_eq!(seen, expected);
}
