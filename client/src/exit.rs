//! The exit code of `ffleet`, decided in one place.

use ffleet_protocol::{job::Outcome, state::JobStatus};

/// ffleet itself failed, or the job failed without an exit code of its own.
pub const OURS: u8 = 125;
/// The job was canceled.
pub const CANCELED: u8 = 130;

/// What a job's end means for whoever waits for it.
#[must_use]
pub fn code(outcome: &Outcome) -> u8 {
    match outcome.status {
        JobStatus::Completed => 0,
        JobStatus::Canceled => CANCELED,
        JobStatus::Failed => failed(outcome.exit_code, outcome.signal),
        // No end at all; a coordinator that says so is mistaken, and good news it is not.
        JobStatus::Pending | JobStatus::Assigned | JobStatus::Running | JobStatus::Canceling | JobStatus::Unknown => {
            OURS
        }
    }
}

fn failed(exit_code: Option<i32>, signal: Option<i32>) -> u8 {
    let own = exit_code.and_then(|code| u8::try_from(code).ok());
    let killed = signal.and_then(|number| u8::try_from(number).ok()).and_then(|number| number.checked_add(128));
    match (own, killed) {
        // The program ended well and the job failed all the same, as when its output was lost.
        (Some(0), _) => OURS,
        (Some(code), _) => code,
        (None, Some(code)) => code,
        (None, None) => OURS,
    }
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::state::{CancelReason, FailureClass};

    use super::*;

    fn outcome(
        status: JobStatus,
        exit_code: Option<i32>,
        signal: Option<i32>,
        failure: Option<FailureClass>,
    ) -> Outcome {
        let canceled = (status == JobStatus::Canceled).then_some(CancelReason::Requested);
        Outcome { status, exit_code, signal, failure, canceled, message: String::new() }
    }

    #[test]
    fn every_end_has_its_code() {
        use FailureClass as F;
        use JobStatus as S;
        for (status, exit_code, signal, failure, expected) in [
            (S::Completed, Some(0), None, None, 0),
            (S::Completed, None, None, None, 0),
            (S::Failed, Some(1), None, Some(F::ExitCode), 1),
            (S::Failed, Some(42), None, Some(F::InputNotFound), 42),
            (S::Failed, Some(255), None, Some(F::ExitCode), 255),
            (S::Failed, Some(256), None, Some(F::ExitCode), OURS),
            (S::Failed, Some(-1), None, Some(F::ExitCode), OURS),
            (S::Failed, None, Some(9), Some(F::Signaled), 137),
            (S::Failed, None, Some(11), Some(F::Signaled), 139),
            (S::Failed, None, Some(200), Some(F::Signaled), OURS),
            (S::Failed, Some(0), None, Some(F::StdoutLost), OURS),
            (S::Failed, None, None, Some(F::Poison), OURS),
            (S::Failed, None, None, Some(F::QueueTimeout), OURS),
            (S::Failed, None, None, Some(F::DependencyFailed), OURS),
            (S::Failed, None, None, Some(F::TimedOut), OURS),
            (S::Canceled, None, None, None, CANCELED),
            (S::Canceled, Some(255), None, None, CANCELED),
            (S::Canceled, Some(0), None, None, CANCELED),
            (S::Running, None, None, None, OURS),
        ] {
            let given = outcome(status, exit_code, signal, failure);
            assert_eq!(code(&given), expected, "{given:?}");
        }
    }
}
