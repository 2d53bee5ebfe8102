//! The transitions of one task, one after the other.

use super::{
    Event, Invariant, Task, Violation,
    machine::{Epoch, Only, is_leased, is_terminal, rule},
};

/// Where the replay is.
struct State<'a> {
    state: &'a str,
    epoch: i64,
    /// Whether the last thing that happened is that the lease of an attempt that ran has lapsed.
    lapsed: bool,
    /// Whether any attempt was accepted.
    ran: bool,
    last: Option<&'a Event>,
}

/// Replays the events of a task and compares the end with its row.
pub(super) fn check(task: &Task, events: &[&Event], found: &mut Vec<Violation>) {
    let mut now = State { state: "new", epoch: 0, lapsed: false, ran: false, last: None };
    for event in events {
        step(task, &mut now, event, found);
    }
    let mut row = |invariant, what: String| found.push(Violation::task(invariant, task.id, &[], what));
    if events.is_empty() {
        return row(Invariant::I4, "nothing is recorded of it, not even its making".to_owned());
    }
    if task.state != now.state {
        row(Invariant::I4, format!("its row says {}, its last event {}", task.state, now.state));
    }
    if task.epoch != now.epoch {
        row(Invariant::I3, format!("its row says epoch {}, its events {}", task.epoch, now.epoch));
    }
    if is_leased(&task.state) != task.worker.is_some() {
        row(Invariant::I4, format!("it is {} and held by {:?}", task.state, task.worker));
    }
    if task.output_epoch != task.epoch {
        row(Invariant::I3, format!("it is in epoch {} and takes output of epoch {}", task.epoch, task.output_epoch));
    }
}

fn step<'a>(task: &Task, now: &mut State<'a>, event: &'a Event, found: &mut Vec<Violation>) {
    let from = event.from.as_deref().unwrap_or("new");
    let ids: Vec<_> = now.last.iter().map(|last| last.id).chain([event.id]).collect();
    let mut bad = |invariant, what: String| found.push(Violation::task(invariant, task.id, &ids, what));
    let told = format!("{from} → {} ({})", event.to, event.what);
    if is_terminal(now.state) {
        bad(Invariant::I1, format!("{told} after it had ended as {}", now.state));
    } else if from != now.state {
        bad(Invariant::I4, format!("{told} although it was {}", now.state));
    }
    match rule(from, &event.what, &event.to) {
        None => bad(Invariant::I4, format!("{told} is no legal transition")),
        Some(legal) => {
            if (legal.only == Only::AfterLapse && !now.lapsed) || (legal.only == Only::BeforeItRan && now.ran) {
                bad(Invariant::I4, format!("{told} is not legal here"));
            }
            let expected = match legal.epoch {
                Epoch::Zero => 0,
                Epoch::Same => now.epoch,
                Epoch::Next => now.epoch + 1,
            };
            if event.epoch != expected {
                bad(Invariant::I3, format!("{told} in epoch {}, expected {expected}", event.epoch));
            }
        }
    }
    now.lapsed = event.what == "lease_lapsed" && ["running", "publishing"].contains(&from);
    now.ran |= event.what == "accepted";
    now.epoch = event.epoch;
    now.state = &event.to;
    now.last = Some(event);
}
