//! The offline checker: replays the history of every task in a database against a reference machine, and says which of
//! the invariants it breaks.
//!
//! The reference machine ([`machine`]) is a table of its own, so that a fault in the product's life cycle is found here
//! and not repeated. Nothing of the product is asked: the rows are read from the database.
//!
//! ```no_run
//! # async fn story() -> Result<(), sqlx::Error> {
//! use ffleet_tests::checker::{History, check};
//! let history = History::read("ffleet.db").await?;
//! let broken = check(&history);
//! assert!(broken.is_empty(), "{broken:#?}");
//! # Ok(())
//! # }
//! ```

mod attempts;
mod history;
mod jobs;
mod machine;
mod order;
mod output;
mod read;
mod replay;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt};

use uuid::Uuid;

use crate::Fleet;

pub use history::{Attempt, Chunk, Event, History, Job, Key, Span, Task};

/// What must always hold, with or without faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Every acknowledged job ends in exactly one terminal state.
    I1,
    /// Completed means exactly one winner, and the outputs are the winner's.
    I2,
    /// Epochs of a task are 1…n; nothing of a lower one is accepted after a higher one began.
    I3,
    /// Every recorded transition is legal in the reference machine.
    I4,
    /// Jobs are distinct idempotency keys; a request without an answer was applied once or not at all.
    I5,
    /// No two encoders of one task ran with both leases valid.
    I6,
    /// After healing everything ends.
    I7,
    /// Records of output have no gap and no repetition.
    I8,
    /// No process, lease, nonce or file is left past its time.
    I9,
    /// Callers saw no failure after their documented retries.
    I10,
    /// A canary secret appears in no log, table or process list.
    I11,
    /// The faults that were injected are those that the parts have felt.
    I12,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// One way in which something that was observed breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// Where: a task or a job, and the events concerned.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl Violation {
    /// A violation by a job, a file or whatever else `place` names.
    pub fn new(invariant: Invariant, place: impl fmt::Display, what: impl Into<String>) -> Self {
        Self { invariant, place: place.to_string(), what: what.into() }
    }

    fn task(invariant: Invariant, task: Uuid, events: &[Uuid], what: impl Into<String>) -> Self {
        let events: Vec<_> = events.iter().map(ToString::to_string).collect();
        let place = match events.is_empty() {
            true => format!("task {task}"),
            false => format!("task {task}, event {}", events.join(" and ")),
        };
        Self { invariant, place, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.invariant, self.place, self.what)
    }
}

/// Everything in a history that must not be, whether or not all its jobs have ended.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut events = by_task(&history.events, |event| event.task);
    let mut attempts = by_task(&history.attempts, |attempt| attempt.task);
    let mut chunks = by_task(&history.chunks, |chunk| chunk.task);
    for task in &history.tasks {
        let events: Vec<&Event> = events.remove(&task.id).unwrap_or_default();
        let attempts: Vec<&Attempt> = attempts.remove(&task.id).unwrap_or_default();
        let chunks: Vec<&Chunk> = chunks.remove(&task.id).unwrap_or_default();
        replay::check(task, &events, &mut found);
        attempts::check(task, &events, &attempts, &mut found);
        output::check(task, &chunks, history.log_cap, &mut found);
    }
    jobs::check(history, &mut found);
    found
}

/// What belongs to each task, in the order that it had: histories are long, and each is gone through once.
fn by_task<T>(all: &[T], task: impl Fn(&T) -> Uuid) -> HashMap<Uuid, Vec<&T>> {
    let mut tasks: HashMap<Uuid, Vec<&T>> = HashMap::new();
    for one in all {
        tasks.entry(task(one)).or_default().push(one);
    }
    tasks
}

/// The same for a history in which everything must have ended.
#[must_use]
pub fn check_ended(history: &History) -> Vec<Violation> {
    let mut found = check(history);
    for task in &history.tasks {
        if !machine::is_terminal(&task.state) {
            found.push(Violation::task(Invariant::I1, task.id, &[], format!("it is {} and never ended", task.state)));
        }
        if task.worker.is_some() {
            found.push(Violation::task(Invariant::I9, task.id, &[], "somebody still holds a lease on it"));
        }
    }
    found
}

impl Fleet {
    /// Fails the test if any life so far was not as it must be. Every fleet does that at its end by itself.
    ///
    /// # Panics
    /// Naming every violation.
    pub async fn check_history(&self) {
        let broken = broken(self.database(), self.log_cap()).await;
        assert!(broken.is_empty(), "the history is not legal:\n{}", broken.join("\n"));
    }
}

/// What is wrong in the history of a database, in words.
pub(crate) async fn broken(database: &str, log_cap: Option<i64>) -> Vec<String> {
    match History::read(database).await {
        Ok(history) => check(&History { log_cap, ..history }).iter().map(ToString::to_string).collect(),
        Err(error) => vec![format!("no history can be read from {database}: {error}")],
    }
}
