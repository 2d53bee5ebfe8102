//! Two who want different things at the same moment: one of them wins, and both are told the same.

use std::collections::{BTreeMap, BTreeSet};

use ffleet_protocol::{
    id::{JobId, Token},
    job::{AttemptEnd, BatchItem, BatchRequest, JobSpec},
    problem::Code,
    state::{CancelReason, JobStatus},
};
use ffleet_tests::{Fleet, Hand, Held, SHORT_LEASES, job, spec};
use futures_util::future::join_all;
use serde_json::json;

async fn batch(fleet: &Fleet, name: &str, count: usize, spec: &JobSpec) -> Vec<JobId> {
    let item = |n| BatchItem { idempotency_key: format!("{name}-{n}"), job: spec.clone() };
    let request = BatchRequest { jobs: (0..count).map(item).collect(), again: false };
    fleet.api().batch(&request).await.unwrap().jobs.into_iter().map(|job| job.id).collect()
}

async fn claim(hand: &Hand, count: usize) -> Vec<Held> {
    let mut held = Vec::new();
    while held.len() < count {
        let free = u32::try_from(count - held.len()).unwrap();
        let answer = hand.claim_with(Token::new(), free, 25).await.unwrap().unwrap();
        held.extend(answer.grants.into_iter().map(|grant| Held { grant }));
    }
    held
}

#[tokio::test]
async fn cancel_and_finish_race_two_hundred_times() {
    const RACES: usize = 200;
    let fleet = Fleet::setup().coordinators(2).start().await;
    let hand = fleet.hand("by-hand", 256).await;
    batch(&fleet, "race", RACES, &job(["-fake-hang"])).await;
    let held = claim(&hand, RACES).await;
    for part in held.chunks(50) {
        for accepted in join_all(part.iter().map(|held| hand.accept(held))).await {
            accepted.unwrap();
        }
    }
    let (one, other) = (fleet.api_at(0, "studio"), fleet.api_at(1, "studio"));
    let mut ends = BTreeMap::<&str, u32>::new();
    for (n, held) in held.iter().enumerate() {
        let id = held.grant.job;
        let canceler = if n % 2 == 0 { &one } else { &other };
        // Who is asked first takes turns, so that neither always has the start.
        let (canceled, finished) = if n % 4 < 2 {
            tokio::join!(canceler.cancel(id), hand.finish(held, 0))
        } else {
            let (finished, canceled) = tokio::join!(hand.finish(held, 0), canceler.cancel(id));
            (canceled, finished)
        };
        let finished = finished.unwrap().status.as_str().to_owned();
        let view = fleet.job(id).await;
        let end = view.summary.status;
        *ends.entry(end.as_str()).or_default() += 1;
        assert_eq!(finished, end.as_str(), "the worker was told what stands");
        match (end, canceled) {
            (JobStatus::Completed, Ok(answer)) => assert_eq!(answer.status, JobStatus::Completed),
            (JobStatus::Completed, Err(refused)) => assert!(refused.is(Code::WrongState), "{refused}"),
            (JobStatus::Canceled, Ok(answer)) => {
                assert!(matches!(answer.status, JobStatus::Canceling | JobStatus::Canceled), "{answer:?}");
            }
            (end, canceled) => panic!("{end}: {canceled:?}"),
        }
        let attempt = if end == JobStatus::Completed { AttemptEnd::Completed } else { AttemptEnd::Canceled };
        let task = &view.tasks[0];
        assert_eq!((task.attempts.len(), task.attempts[0].end), (1, Some(attempt)));
    }
    println!("{ends:?}");
}

/// Housekeeping that only happens when somebody asks for it, so that who did what can be counted.
const ASLEEP: &str = "sweep_s = 3600\n";

#[tokio::test]
async fn two_janitors_do_each_thing_once() {
    const EACH: usize = 60;
    let timing = SHORT_LEASES.replace("sweep_s = 1\n", ASLEEP).replace("worker_silent_s = 15", "worker_silent_s = 3");
    let fleet = Fleet::setup().coordinators(2).config(&timing).start().await;
    // Nobody asks anything of these any more: assigned and running tasks, a worker, clients, queued and blocked jobs.
    let (lost, gone) = (fleet.hand("lost", 256).await, fleet.hand("gone", 1).await);
    let doomed = batch(&fleet, "doomed", 2 * EACH, &job(["-fake-hang"])).await;
    for held in &claim(&lost, 2 * EACH).await[..EACH] {
        lost.accept(held).await.unwrap();
    }
    let queued = spec(["-fake-hang"], json!({ "queue_timeout_s": 1 }));
    let queued = batch(&fleet, "queued", EACH, &queued).await;
    let first = fleet.submit(&job(["-fake-hang"])).await;
    let blocked = batch(&fleet, "blocked", EACH, &spec(["-fake-hang"], json!({ "after": [first] }))).await;
    let monitored = spec(["-fake-hang"], json!({ "monitor": true, "after": [first] }));
    let monitored = batch(&fleet, "monitored", EACH, &monitored).await;

    let janitors = [fleet.api_at(0, "chief"), fleet.api_at(1, "chief")];
    let mut done = BTreeMap::<String, u64>::new();
    let wanted = |done: &BTreeMap<String, u64>| {
        let count = |chore: &str| done.get(chore).copied().unwrap_or(0);
        count("lapse_leases") >= 2 * EACH as u64
            && count("queue_timeouts") >= EACH as u64
            && count("absent_clients") >= EACH as u64
            && count("silent_workers") >= 2
    };
    let rounds = async {
        // Time itself is waited for here: leases, queue times and clients' patience run out.
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(200));
        while !wanted(&done) {
            ticks.tick().await;
            for round in join_all(janitors.iter().map(|janitor| janitor.janitor())).await {
                for (chore, n) in round.unwrap() {
                    *done.entry(chore).or_default() += n;
                }
            }
        }
    };
    tokio::time::timeout(ffleet_tests::PATIENCE, rounds).await.expect("everything that is due");
    let count = |chore: &str| done.get(chore).copied().unwrap_or(0);
    let each = EACH as u64;
    assert_eq!((count("lapse_leases"), count("queue_timeouts")), (2 * each, each), "{done:?}");

    for id in doomed {
        let view = fleet.job(id).await;
        let task = &view.tasks[0];
        let ends: Vec<_> = task.attempts.iter().map(|attempt| attempt.end).collect();
        assert_eq!(ends.len(), 1, "{ends:?}");
        assert!(task.crashes + task.rejections == 1, "{} crashes, {} rejections", task.crashes, task.rejections);
        assert_eq!(view.summary.status, JobStatus::Pending);
    }
    for id in queued {
        assert_eq!(fleet.job(id).await.summary.status, JobStatus::Failed);
    }
    for id in monitored {
        let outcome = fleet.job(id).await.summary.outcome.unwrap();
        assert_eq!((outcome.status, outcome.canceled), (JobStatus::Canceled, Some(CancelReason::ClientGone)));
    }
    // What waited for a failed dependency ends with it, once, whoever looks first.
    fleet.api().cancel(first).await.unwrap();
    for round in join_all(janitors.iter().map(|janitor| janitor.janitor())).await {
        round.unwrap();
    }
    let ends: BTreeSet<_> = join_all(blocked.iter().map(|id| fleet.job(*id)))
        .await
        .into_iter()
        .map(|job| job.summary.status.as_str().to_owned())
        .collect();
    assert_eq!(ends, BTreeSet::from(["failed".to_owned()]));
    drop(gone);
    fleet.cancel_all().await;
}
