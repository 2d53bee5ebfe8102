//! What everybody in a run has seen. The history in the database is held against it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use ffleet_protocol::{
    id::{JobId, TaskId, WorkerId},
    job::Outcome,
};

use super::{faults::Kind, script::Submit};
use crate::checker::{Invariant, Violation};

/// Everything that was seen, by many at once.
#[derive(Default)]
pub(super) struct Witness(Mutex<Seen>);

/// Everything that was seen.
#[derive(Default)]
pub(super) struct Seen {
    /// What became of the jobs of the script, by their number.
    pub(super) jobs: BTreeMap<usize, Told>,
    /// Jobs that faults submitted, as acknowledged.
    pub(super) extra: Vec<JobId>,
    /// Labels of jobs that faults submitted; each stands for one job.
    pub(super) labels: BTreeSet<String>,
    /// How often somebody with the right to it asked for a job to be done again.
    pub(super) retries: BTreeMap<JobId, usize>,
    /// Words of workers that came too late and were refused.
    pub(super) stale_refused: usize,
    /// Signed requests that were sent again by a stranger and refused.
    pub(super) replays_refused: usize,
    /// Cancels that came after the end.
    pub(super) cancels_refused: usize,
    /// Faults, and whether anybody felt them.
    pub(super) faults: Vec<(Kind, bool)>,
    /// How often each coordinator or server was ended, by name.
    pub(super) ends: BTreeMap<String, usize>,
    /// When which worker was stopped, in microseconds since 1970.
    pub(super) stops: Vec<(WorkerId, i64, i64)>,
    /// What was seen to be wrong at once.
    pub(super) violations: Vec<Violation>,
}

/// What the client of a job was told.
pub(super) struct Told {
    /// What it asked for.
    pub(super) submit: Submit,
    /// The job, once acknowledged.
    pub(super) id: Option<JobId>,
    /// How it ended, from the stream.
    pub(super) outcome: Option<Outcome>,
    /// The exit code of the program `ffleet`, where it was that.
    pub(super) code: Option<i32>,
    /// The output it was shown.
    pub(super) tape: Tape,
}

/// The output of a job as a follower saw it.
#[derive(Default)]
pub(super) struct Tape {
    /// The numbers of the records of each attempt.
    pub(super) records: BTreeMap<(TaskId, u32), BTreeSet<u64>>,
    /// Standard output of the newest attempt that had any.
    pub(super) stdout: (u32, Vec<u8>),
    /// What should not be.
    pub(super) wrong: Vec<String>,
}

impl Witness {
    /// Writes something down, or looks something up.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that must not be was seen.
    pub(super) fn violation(&self, invariant: Invariant, place: impl std::fmt::Display, what: impl Into<String>) {
        self.seen().violations.push(Violation::new(invariant, place, what));
    }

    /// A coordinator or a server was ended, and will be started again.
    pub(super) fn ended(&self, name: &str) {
        *self.seen().ends.entry(name.to_owned()).or_default() += 1;
    }

    /// A caller met a failure that it had to handle.
    pub(super) fn failure(&self, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        self.violation(Invariant::I10, place, what.to_string());
    }

    /// Takes everything.
    pub(super) fn into_seen(self) -> Seen {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
