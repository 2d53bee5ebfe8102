//! The record of each attempt, against the events.

use std::collections::BTreeMap;

use super::{Attempt, Event, Invariant, Task, Violation};

/// What the events say of an attempt.
#[derive(Default)]
struct Told<'a> {
    worker: Option<&'a str>,
    started: bool,
    end: Option<&'static str>,
}

/// Compares the attempts of a task with its events and with each other.
pub(super) fn check(task: &Task, events: &[&Event], attempts: &[&Attempt], found: &mut Vec<Violation>) {
    let mut bad = |invariant, what: String| found.push(Violation::task(invariant, task.id, &[], what));
    let mut told = told(events);
    for (attempt, number) in attempts.iter().zip(1..) {
        let epoch = attempt.epoch;
        if epoch != number {
            bad(Invariant::I3, format!("attempt {number} is missing; the next one recorded is {epoch}"));
            break;
        }
        let Some(told) = told.remove(&epoch) else {
            bad(Invariant::I3, format!("attempt {epoch} was never claimed"));
            continue;
        };
        if told.worker != Some(attempt.worker.as_str()) {
            bad(Invariant::I4, format!("attempt {epoch} is of {}, claimed by {:?}", attempt.worker, told.worker));
        }
        if told.started != attempt.started_at.is_some() {
            bad(Invariant::I4, format!("attempt {epoch}: accepted {}, begun {:?}", told.started, attempt.started_at));
        }
        if told.end != attempt.end.as_deref() {
            bad(Invariant::I4, format!("attempt {epoch} ended {:?}, its events say {:?}", attempt.end, told.end));
        }
    }
    for epoch in told.keys() {
        bad(Invariant::I3, format!("attempt {epoch} was claimed and is not recorded"));
    }
    winners(task, attempts, &mut bad);
    leases(attempts, &mut bad);
    if let (Some(last), Some(token)) = (attempts.last(), task.token)
        && last.token != token
    {
        bad(
            Invariant::I3,
            format!("its holder quotes {token}, attempt {} was claimed with {}", last.epoch, last.token),
        );
    }
}

fn told<'a>(events: &[&'a Event]) -> BTreeMap<i64, Told<'a>> {
    let mut told: BTreeMap<i64, Told<'a>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.epoch > 0) {
        let this = told.entry(event.epoch).or_default();
        let from = event.from.as_deref().unwrap_or_default();
        match event.what.as_str() {
            "claimed" => this.worker = event.worker.as_deref(),
            "accepted" => this.started = true,
            "completed" => this.end = Some("completed"),
            "failed" | "retry" => this.end = Some("failed"),
            "rejected" | "assignment_timeout" | "handed_back" => this.end = Some("rejected"),
            "lease_lapsed" | "cancel_forced" => this.end = Some("lapsed"),
            // An attempt that had lapsed stays so; nobody was at work any more.
            "canceled" if from != "pending" => this.end = Some("canceled"),
            "resumed" => this.end = None,
            "publishing" if from == "pending" => this.end = None,
            _ => {}
        }
    }
    told
}

/// A completed task has one winner, and it is the last attempt. No other task has any.
fn winners(task: &Task, attempts: &[&Attempt], bad: &mut impl FnMut(Invariant, String)) {
    let winners: Vec<_> = attempts.iter().filter(|attempt| attempt.end.as_deref() == Some("completed")).collect();
    match (task.state == "completed", winners.as_slice()) {
        (true, [winner]) if winner.epoch == task.epoch => {}
        (false, []) => {}
        (completed, _) => {
            let epochs: Vec<_> = winners.iter().map(|winner| winner.epoch).collect();
            let is = if completed { "completed" } else { "not completed" };
            bad(
                Invariant::I2,
                format!("it is {is} in epoch {}, and its winners are the attempts {epochs:?}", task.epoch),
            );
        }
    }
}

/// One lease at a time: an attempt is over before the next one begins.
fn leases(attempts: &[&Attempt], bad: &mut impl FnMut(Invariant, String)) {
    for pair in attempts.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        if before.ended_at.is_none_or(|ended| ended > after.claimed_at) {
            let (number, next) = (before.epoch, after.epoch);
            bad(Invariant::I6, format!("attempt {next} was claimed while attempt {number} held the lease"));
        }
    }
}
