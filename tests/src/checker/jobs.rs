//! Jobs: their status is a fold over their tasks, and each is made once.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{History, Invariant, Violation, machine::is_terminal};

/// Compares every job with its tasks and with the idempotency keys.
pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let mut tasks: BTreeMap<Uuid, Vec<&str>> = BTreeMap::new();
    for task in &history.tasks {
        tasks.entry(task.job).or_default().push(&task.state);
    }
    for job in &history.jobs {
        let mut bad = |invariant, what: String| found.push(Violation::new(invariant, format!("job {}", job.id), what));
        let states = tasks.remove(&job.id).unwrap_or_default();
        if states.is_empty() {
            bad(Invariant::I4, "it has no task".to_owned());
            continue;
        }
        let expected = fold(&states);
        if job.status != expected {
            bad(Invariant::I4, format!("it is {}, its tasks {states:?} make it {expected}", job.status));
        }
        let over = is_terminal(&job.status);
        if over != job.outcome.is_some() || over != job.ended_at.is_some() {
            bad(Invariant::I1, format!("it is {} with the outcome {:?}", job.status, job.outcome));
        }
        if job.outcome.as_ref().is_some_and(|outcome| *outcome != job.status) {
            bad(Invariant::I1, format!("it is {} and its outcome says {:?}", job.status, job.outcome));
        }
    }
    for job in tasks.keys() {
        found.push(Violation::new(Invariant::I4, format!("job {job}"), "it is gone and its tasks are not"));
    }
    keys(history, found);
}

fn fold<'a>(states: &[&'a str]) -> &'a str {
    let any = |words: &[&str]| states.iter().any(|state| words.contains(state));
    let over = states.iter().all(|state| is_terminal(state));
    let canceling = any(&["canceling"]) || (any(&["failed"]) && any(&["running", "publishing"]));
    match () {
        () if over && any(&["failed"]) => "failed",
        () if over && any(&["canceled"]) => "canceled",
        () if over => "completed",
        () if canceling => "canceling",
        () if any(&["running", "publishing"]) => "running",
        () if any(&["assigned"]) => "assigned",
        () => "pending",
    }
}

fn keys(history: &History, found: &mut Vec<Violation>) {
    let known: BTreeSet<Uuid> = history.jobs.iter().map(|job| job.id).collect();
    let mut made: BTreeMap<Uuid, &str> = BTreeMap::new();
    for key in &history.keys {
        let mut bad =
            |what| found.push(Violation::new(Invariant::I5, format!("key {} of {}", key.key, key.account), what));
        if !known.contains(&key.job) {
            bad(format!("it stands for job {}, which is not there", key.job));
        }
        if let Some(other) = made.insert(key.job, &key.key) {
            bad(format!("it stands for job {}, as does key {other}", key.job));
        }
    }
}
