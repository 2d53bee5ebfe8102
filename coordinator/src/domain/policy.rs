//! How long, how often and how far apart: the numbers that decide what becomes of a task.

use ffleet_protocol::{
    Timestamp,
    job::{JobSpec, RetryPolicy, RetryRule},
    limits,
    state::FailureClass,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Reasons of rejections that a task remembers.
pub const REASONS_KEPT: usize = 5;
/// The first wait after a rejection.
pub const REJECTION_BASE: SignedDuration = SignedDuration::from_secs(5);
/// The first wait after a bad end.
pub const RETRY_BASE: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait of either kind.
pub const BACKOFF_MAX: SignedDuration = SignedDuration::from_secs(300);
/// How long a task keeps away from a worker that rejected or lost it.
pub const AVOID: SignedDuration = SignedDuration::from_secs(60);

/// What the coordinator's configuration says where a job does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// Length of a lease, in seconds.
    pub lease_s: u64,
    /// How long a worker may take to accept, in seconds.
    pub assignment_timeout_s: u64,
    /// Crashes after which a task is poison.
    pub crash_limit: u32,
    /// Rejections in a row after which nobody will take a task.
    pub reject_limit: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { lease_s: 35, assignment_timeout_s: 10, crash_limit: 3, reject_limit: 20 }
    }
}

/// The rules for one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What to do about bad ends.
    pub retry: RetryPolicy,
    /// Whether it may run again after standard output was delivered.
    pub rerun_stdout: bool,
    /// Length of its lease, in seconds.
    pub lease_s: u64,
    /// How long a worker may take to accept, in seconds.
    pub assignment_timeout_s: u64,
    /// Crashes after which it is poison.
    pub crash_limit: u32,
    /// Rejections in a row after which nobody will take it.
    pub reject_limit: u32,
}

impl Policy {
    /// The rules for the tasks of a job: its own where it has any, the defaults elsewhere.
    #[must_use]
    pub fn for_job(defaults: &Defaults, spec: &JobSpec) -> Self {
        Self {
            retry: spec.retry.clone(),
            rerun_stdout: spec.rerun_stdout,
            lease_s: spec.lease_s.unwrap_or(defaults.lease_s).clamp(1, limits::LEASE_S),
            assignment_timeout_s: defaults.assignment_timeout_s,
            crash_limit: defaults.crash_limit,
            reject_limit: defaults.reject_limit,
        }
    }

    /// When a lease given or renewed at `now` is over.
    #[must_use]
    pub fn lease_until(&self, now: Timestamp) -> Timestamp {
        later(now, seconds(self.lease_s))
    }

    /// When a worker that claims at `now` must have accepted.
    #[must_use]
    pub fn assigned_until(&self, now: Timestamp) -> Timestamp {
        later(now, seconds(self.assignment_timeout_s))
    }
}

/// A bad end, as far as retry rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadEnd<'a> {
    /// Why.
    pub failure: FailureClass,
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// The last lines of stderr.
    pub tail: &'a str,
}

/// How long to wait before the next try after this end, or none if there is to be no other. `failures` counts the bad
/// ends before this one.
#[must_use]
pub fn retry_after(retry: &RetryPolicy, failures: u32, end: &BadEnd<'_>) -> Option<SignedDuration> {
    if !retry.on.iter().any(|rule| covers(rule, end)) {
        return None;
    }
    if burns_no_try(end.failure) {
        return Some(RETRY_BASE);
    }
    (failures < retry.retries).then(|| backoff(RETRY_BASE, failures, BACKOFF_MAX))
}

/// Whether a failure says nothing about the task: all encoder sessions of a machine were in use by others, and waiting
/// for one must not use up the tries.
#[must_use]
pub fn burns_no_try(failure: FailureClass) -> bool {
    failure == FailureClass::EncoderSessionLimit
}

fn covers(rule: &RetryRule, end: &BadEnd<'_>) -> bool {
    match rule {
        RetryRule::Transient => end.failure.is_transient(),
        RetryRule::Any => true,
        RetryRule::Class(class) => end.failure == *class,
        RetryRule::ExitCode(code) => end.exit_code == Some(*code),
        RetryRule::Signal(signal) => end.signal == Some(*signal),
        RetryRule::LogContains(text) => end.tail.contains(text.as_str()),
        RetryRule::Unknown(_) => false,
    }
}

/// `base × 2ⁿ`, at most `max`.
#[must_use]
pub fn backoff(base: SignedDuration, n: u32, max: SignedDuration) -> SignedDuration {
    let factor = 1_i32.checked_shl(n).filter(|factor| *factor > 0).unwrap_or(i32::MAX);
    base.saturating_mul(factor).min(max)
}

/// `now` and some, never past the end of time.
#[must_use]
pub fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn seconds(count: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(count).unwrap_or(i64::MAX))
}
