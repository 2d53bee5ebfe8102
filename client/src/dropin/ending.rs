//! The exit code under the name of FFmpeg's programs: pure.

use ffleet_protocol::{job::Outcome, state::JobStatus};

use super::Program;
use crate::exit::OURS;

/// FFmpeg's own code after a signal that it took.
pub const STOPPED: u8 = 255;
/// FFmpeg's own code when it is sent a fourth signal and does not wait any more.
pub const TOO_MANY_SIGNALS: u8 = 123;

/// How this process is to end, and what is to be said about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// The exit code.
    pub code: u8,
    /// Why, when the program itself cannot have said it.
    pub words: Option<String>,
}

impl Ending {
    /// With this code, and nothing to be said.
    #[must_use]
    pub fn quiet(code: u8) -> Self {
        Self { code, words: None }
    }

    fn said(code: u8, outcome: &Outcome) -> Self {
        Self { code, words: Some(outcome.message.clone()) }
    }
}

/// What has happened on this side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Here {
    /// A signal asked for the end.
    pub signaled: bool,
    /// Whoever read our standard output has gone.
    pub unread: bool,
}

/// What a job's end means for whoever called the program.
#[must_use]
pub fn ending(program: Program, outcome: &Outcome, here: Here) -> Ending {
    if here.unread {
        return Ending::quiet(match program {
            // "av_interleaved_write_frame(): Broken pipe"
            Program::Ffmpeg => 1,
            // It dies of SIGPIPE; 13 behind 128, as a shell shows it.
            Program::Ffprobe => 141,
        });
    }
    match outcome.status {
        JobStatus::Completed => Ending::quiet(0),
        JobStatus::Canceled if here.signaled => Ending::quiet(STOPPED),
        JobStatus::Canceled => Ending::said(STOPPED, outcome),
        JobStatus::Failed => failed(outcome, here),
        // No end at all; a coordinator that says so is mistaken, and good news it is not.
        JobStatus::Pending | JobStatus::Assigned | JobStatus::Running | JobStatus::Canceling | JobStatus::Unknown => {
            Ending::said(OURS, outcome)
        }
    }
}

fn failed(outcome: &Outcome, here: Here) -> Ending {
    match (outcome.exit_code, outcome.signal) {
        // The program ended well and the job failed all the same, as when its output was lost.
        (Some(0), _) => Ending::said(OURS, outcome),
        (Some(code), _) => u8::try_from(code).map_or_else(|_| Ending::said(OURS, outcome), Ending::quiet),
        // FFmpeg was told so early that it did not yet listen.
        (None, Some(2 | 15)) if here.signaled => Ending::quiet(STOPPED),
        (None, Some(signal)) => {
            let code = u8::try_from(signal).ok().and_then(|number| number.checked_add(128));
            Ending::said(code.unwrap_or(OURS), outcome)
        }
        (None, None) => Ending::said(OURS, outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_ffmpegs_own_where_it_can_be() {
        use JobStatus as S;
        let (calm, signaled) = (Here::default(), Here { signaled: true, unread: false });
        for (status, exit_code, signal, here, code, said) in [
            (S::Completed, Some(0), None, calm, 0, false),
            (S::Completed, Some(0), None, signaled, 0, false),
            (S::Failed, Some(1), None, calm, 1, false),
            (S::Failed, Some(255), None, signaled, 255, false),
            (S::Failed, Some(123), None, signaled, 123, false),
            (S::Failed, Some(300), None, calm, OURS, true),
            (S::Failed, Some(0), None, calm, OURS, true),
            (S::Failed, None, None, calm, OURS, true),
            (S::Failed, None, Some(15), signaled, 255, false),
            (S::Failed, None, Some(15), calm, 143, true),
            (S::Failed, None, Some(9), signaled, 137, true),
            (S::Failed, None, Some(200), calm, OURS, true),
            (S::Canceled, None, None, signaled, 255, false),
            (S::Canceled, None, None, calm, 255, true),
            (S::Running, None, None, calm, OURS, true),
        ] {
            let message = "why".to_owned();
            let outcome = Outcome { status, exit_code, signal, failure: None, canceled: None, message };
            let words = said.then(|| "why".to_owned());
            assert_eq!(ending(Program::Ffmpeg, &outcome, here), Ending { code, words }, "{outcome:?} {here:?}");
            let unread = Here { unread: true, ..here };
            assert_eq!(ending(Program::Ffmpeg, &outcome, unread), Ending::quiet(1));
            assert_eq!(ending(Program::Ffprobe, &outcome, unread), Ending::quiet(141));
        }
    }
}
