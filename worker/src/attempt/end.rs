//! What an attempt's end is called: pure.

use std::{collections::VecDeque, path::Path};

use ffleet_protocol::{
    limits::TAIL_BYTES,
    log::LineEnd,
    state::{CancelReason, FailureClass},
    task::Exit,
};

use crate::{
    ffmpeg::failures,
    process::{Ended, StartProblem},
    shipping::Line,
};

/// Why the worker stopped a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The coordinators said so.
    Stopped(CancelReason),
    /// It ran longer than its job allows, in seconds.
    TimedOut(u64),
    /// It wrote more to standard output than an attempt may deliver.
    StdoutTooLarge,
    /// The worker is leaving.
    HandedBack,
}

/// An end, as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How the program ended.
    pub exit: Exit,
    /// Why it ended badly, if that is known.
    pub failure: Option<FailureClass>,
    /// For people, one sentence.
    pub message: String,
}

/// The end of a program that ran.
#[must_use]
pub fn of_program(name: &str, ended: Ended, cause: Option<Cause>, tail: &str, inputs: &[&Path]) -> End {
    if let Some(cause) = cause {
        return stopped(name, ended, cause);
    }
    let (exit, how) = match ended {
        Ended::Code(code) => (Exit::Code { code }, format!("{name} ended with code {code}")),
        Ended::Signal(signal) => (Exit::Signal { signal }, format!("{name} was killed by signal {signal}")),
    };
    if ended == Ended::Code(0) {
        return End { exit, failure: None, message: how };
    }
    match failures::name(tail, inputs) {
        Some(named) => End { exit, failure: Some(named.class), message: format!("{how}: {}", named.line) },
        None => {
            // The out-of-memory killer leaves no words behind.
            let hint = if ended == Ended::Signal(9) { ", as the kernel does when memory runs out" } else { "" };
            End { exit, failure: None, message: format!("{how}{hint}") }
        }
    }
}

fn stopped(name: &str, ended: Ended, cause: Cause) -> End {
    let own = match ended {
        // What was cut off did not end well, whatever the program says.
        Ended::Code(0) => Exit::None,
        Ended::Code(code) => Exit::Code { code },
        Ended::Signal(signal) => Exit::Signal { signal },
    };
    match cause {
        Cause::Stopped(reason) => {
            End { exit: Exit::Stopped, failure: None, message: format!("{name} was stopped ({reason})") }
        }
        Cause::TimedOut(seconds) => End {
            exit: Exit::TimedOut,
            failure: Some(FailureClass::TimedOut),
            message: format!("{name} was stopped after {seconds} s, the job's timeout"),
        },
        Cause::StdoutTooLarge => End {
            exit: own,
            failure: Some(FailureClass::StdoutTooLarge),
            message: format!("{name} was stopped because it wrote more to standard output than an attempt may deliver"),
        },
        Cause::HandedBack => End {
            exit: Exit::HandedBack,
            failure: None,
            message: "the worker is leaving and hands the task back".to_owned(),
        },
    }
}

/// What makes a good end doubtful. FFmpeg 5.1 ends with code 0 when the disk is full only as it closes the file.
#[must_use]
pub fn doubt(tail: &str) -> Option<String> {
    let named = failures::name(tail, &[]).filter(|named| named.class == FailureClass::DiskFull)?;
    Some(format!("the program ended with code 0, and yet it said: {}", named.line))
}

/// The end of a program that could not be started.
#[must_use]
pub fn not_started(problem: &StartProblem) -> End {
    End { exit: Exit::None, failure: Some(FailureClass::NotStarted), message: problem.to_string() }
}

/// The end of an attempt for which the worker could not do its part.
#[must_use]
pub fn worker_error(what: String) -> End {
    End { exit: Exit::None, failure: Some(FailureClass::WorkerError), message: what }
}

/// The last lines of stderr, at most [`TAIL_BYTES`]. Of status lines that overwrite each other only the newest is kept,
/// or they would push out everything that matters.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<(String, bool)>,
    bytes: usize,
}

impl Tail {
    /// Takes the next line.
    pub fn push(&mut self, line: &Line) {
        if self.lines.back().is_some_and(|(_, overwritten)| *overwritten) {
            self.pop_back();
        }
        let text: String = String::from_utf8_lossy(&line.bytes).chars().take(TAIL_BYTES / 4).collect();
        self.bytes += text.len() + 1;
        self.lines.push_back((text, line.end == Some(LineEnd::Cr)));
        while self.bytes > TAIL_BYTES {
            if let Some((text, _)) = self.lines.pop_front() {
                self.bytes -= text.len() + 1;
            }
        }
    }

    fn pop_back(&mut self) {
        if let Some((text, _)) = self.lines.pop_back() {
            self.bytes -= text.len() + 1;
        }
    }

    /// As text, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.iter().map(|(text, _)| format!("{text}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_name() {
        use FailureClass as F;
        let words = "Unknown encoder 'x'\n";
        for (ended, cause, tail, exit, failure, said) in [
            (Ended::Code(0), None, words, Exit::Code { code: 0 }, None, "ended with code 0"),
            (
                Ended::Code(1),
                None,
                words,
                Exit::Code { code: 1 },
                Some(F::NoSuchEncoder),
                "code 1: Unknown encoder 'x'",
            ),
            (Ended::Code(42), None, "", Exit::Code { code: 42 }, None, "ended with code 42"),
            (Ended::Signal(11), None, "", Exit::Signal { signal: 11 }, None, "killed by signal 11"),
            (Ended::Signal(9), None, "", Exit::Signal { signal: 9 }, None, "memory runs out"),
            (Ended::Code(255), Some(Cause::Stopped(CancelReason::Requested)), words, Exit::Stopped, None, "requested"),
            (Ended::Code(0), Some(Cause::Stopped(CancelReason::ClientGone)), "", Exit::Stopped, None, "client_gone"),
            (Ended::Signal(9), Some(Cause::TimedOut(7)), "", Exit::TimedOut, Some(F::TimedOut), "after 7 s"),
            (
                Ended::Code(0),
                Some(Cause::StdoutTooLarge),
                "",
                Exit::None,
                Some(F::StdoutTooLarge),
                "more to standard output",
            ),
            (
                Ended::Code(255),
                Some(Cause::StdoutTooLarge),
                "",
                Exit::Code { code: 255 },
                Some(F::StdoutTooLarge),
                "more to standard output",
            ),
            (Ended::Code(255), Some(Cause::HandedBack), words, Exit::HandedBack, None, "leaving"),
        ] {
            let end = of_program("ffmpeg", ended, cause, tail, &[]);
            assert_eq!((end.exit, end.failure), (exit, failure), "{ended:?} {cause:?}");
            assert!(end.message.contains(said), "{}", end.message);
        }
    }

    #[test]
    fn a_good_end_on_a_full_disk_is_doubtful() {
        assert!(doubt("Error closing file /m/o.ts: No space left on device\n").unwrap().contains("/m/o.ts"));
        assert_eq!(doubt("Unknown encoder 'x'\n"), None);
    }

    #[test]
    fn the_tail_is_bounded_and_skips_superseded_status_lines() {
        let mut tail = Tail::default();
        let line = |text: &str, end| Line { bytes: text.as_bytes().to_vec(), end };
        tail.push(&line("first", Some(LineEnd::Lf)));
        for n in 0..1000 {
            tail.push(&line(&format!("frame={n}"), Some(LineEnd::Cr)));
        }
        assert_eq!(tail.text(), "first\nframe=999\n");
        tail.push(&line("last", None));
        assert_eq!(tail.text(), "first\nlast\n");
        for _ in 0..100 {
            tail.push(&line(&"ä".repeat(5000), Some(LineEnd::Lf)));
            assert!(tail.text().len() <= TAIL_BYTES);
        }
        assert!(!tail.text().is_empty());
    }
}
