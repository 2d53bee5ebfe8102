//! What the answers of coordinators look like to people.

mod account;
mod explain;
mod job;
mod status;
mod worker;

use ffleet_protocol::{
    job::{JobSummary, Outcome},
    state::{FailureClass, JobStatus, TaskStatus},
    template::Arg,
};
use jiff::Timestamp;

pub use account::accounts;
pub use job::{Ended, jobs};
pub use worker::{paint as paint_of_worker, workers};

use crate::{durations, output::Paint};

/// The command of a job as it could be typed.
#[must_use]
pub fn command_line(job: &JobSummary) -> String {
    let args = job.args.iter().map(quoted);
    std::iter::once(job.program.clone()).chain(args).collect::<Vec<_>>().join(" ")
}

/// An argument as a shell would take it.
fn quoted(arg: &Arg) -> String {
    let text = arg.lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The meaning of a job's status.
pub fn paint_of_job(status: JobStatus) -> Paint {
    match status {
        JobStatus::Pending | JobStatus::Unknown => Paint::Plain,
        JobStatus::Assigned | JobStatus::Running | JobStatus::Canceling => Paint::Busy,
        JobStatus::Completed => Paint::Good,
        JobStatus::Failed => Paint::Bad,
        JobStatus::Canceled => Paint::Dim,
    }
}

fn paint_of_task(status: TaskStatus) -> Paint {
    match status {
        TaskStatus::Blocked | TaskStatus::Pending | TaskStatus::Unknown => Paint::Plain,
        TaskStatus::Assigned | TaskStatus::Running | TaskStatus::Publishing | TaskStatus::Canceling => Paint::Busy,
        TaskStatus::Completed => Paint::Good,
        TaskStatus::Failed => Paint::Bad,
        TaskStatus::Canceled => Paint::Dim,
    }
}

/// How something ended, in a few words.
pub fn ending(exit_code: Option<i32>, signal: Option<i32>, failure: Option<FailureClass>) -> String {
    let how = match (exit_code, signal) {
        (Some(code), _) => Some(format!("exit code {code}")),
        (None, Some(signal)) => Some(format!("signal {signal}")),
        (None, None) => None,
    };
    let why = failure
        .filter(|class| !matches!(class, FailureClass::ExitCode | FailureClass::Signaled))
        .map(|class| class.to_string());
    [how, why].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What there is to say about an outcome beyond its status.
fn outcome_line(outcome: &Outcome) -> String {
    let message = (outcome.message != outcome.status.as_str()).then(|| outcome.message.clone());
    let bad = outcome.status == JobStatus::Failed;
    let ending = bad.then(|| ending(outcome.exit_code, outcome.signal, outcome.failure));
    [message, ending].into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Several counts: `2 failed, 15 completed`.
#[must_use]
pub fn counted<'a>(counts: impl IntoIterator<Item = (&'a str, usize)>) -> String {
    counts.into_iter().map(|(word, n)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

/// A moment and how long ago it was.
fn moment(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({} ago)", short(at), durations::human(now.duration_since(at).as_secs()))
}

/// The time of day to the second, in UTC.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}

/// To the second, in UTC.
fn short(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        for (arg, text) in
            [("-i", "-i"), ("$Media/a.mkv", "'$Media/a.mkv'"), ("", "''"), ("it's", r"'it'\''s'"), ("a b", "'a b'")]
        {
            assert_eq!(quoted(&Arg::from(arg)), text);
        }
    }

    #[test]
    fn endings_name_what_helps() {
        assert_eq!(ending(Some(1), None, Some(FailureClass::ExitCode)), "exit code 1");
        assert_eq!(ending(Some(1), None, Some(FailureClass::DiskFull)), "exit code 1, disk_full");
        assert_eq!(ending(None, Some(9), Some(FailureClass::Signaled)), "signal 9");
        assert_eq!(ending(None, None, Some(FailureClass::Poison)), "poison");
    }
}
