//! Shows a followed job: the program's output as if it ran here, and in between what ffleet has to say.

use std::{
    io,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use ffleet_protocol::{
    id::WorkerId,
    job::{AttemptEnd, Outcome},
    log::{Data, DropReason, Dropped, FollowRecord, LineEnd, Progress, Record},
    state::{JobStatus, Stream},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    output::Output,
    progress::{self, Thinner},
};

/// Whether progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// Every report: in place on a terminal, else a line for each
    Always,
    /// In place on a terminal, else a line every 10 s or 10 %
    #[default]
    Auto,
    /// Not at all
    Never,
}

/// Where a followed job is shown.
pub struct Screen<'a> {
    out: &'a Output,
    began: Instant,
    reports: Reports,
    worker: Option<WorkerId>,
    /// Whether the cursor stands on a line that the next one is to overwrite.
    on_status_line: bool,
}

enum Reports {
    /// In one place.
    Bar(Bar),
    /// A line now and then.
    Thinned(Thinner),
    /// A line for each.
    Each,
    None,
}

struct Bar {
    bar: ProgressBar,
    /// Whether FFmpeg's own status line is the best we have.
    has_progress: bool,
}

impl<'a> Screen<'a> {
    /// Takes the streams of this process.
    #[must_use]
    pub fn new(out: &'a Output, mode: ProgressMode) -> Self {
        let reports = match mode {
            _ if out.json() => Reports::None,
            ProgressMode::Never => Reports::None,
            ProgressMode::Always | ProgressMode::Auto if out.terminal_err() => Reports::Bar(Bar::new()),
            ProgressMode::Always => Reports::Each,
            ProgressMode::Auto => Reports::Thinned(Thinner::default()),
        };
        Self { out, began: Instant::now(), reports, worker: None, on_status_line: false }
    }

    /// Shows one record.
    pub fn record(&mut self, record: &FollowRecord) -> io::Result<()> {
        if self.out.json() {
            return self.out.json_line(record);
        }
        match record {
            FollowRecord::Status { status, .. } => self.status(*status),
            FollowRecord::Attempt { epoch, worker, .. } => {
                self.note(&format!("attempt {epoch} on {worker}"));
                self.worker = Some(worker.clone());
            }
            FollowRecord::Output { record, .. } => return self.output(record),
            FollowRecord::AttemptEnded { epoch, end, message, .. } => {
                self.note(&attempt_ended(*epoch, *end, message.as_deref()));
            }
            FollowRecord::Progress { progress, .. } => self.progress(progress),
            FollowRecord::Outcome { outcome, .. } => {
                self.finish();
                self.note(&ended(outcome));
            }
            FollowRecord::Cursor { .. } | FollowRecord::KeepAlive {} | FollowRecord::Unknown => {}
        }
        Ok(())
    }

    /// A remark of ffleet's own.
    pub fn note(&mut self, text: &str) {
        let clear = std::mem::take(&mut self.on_status_line);
        let out = self.out;
        self.apart(|| {
            if clear {
                // The status line may be longer than the remark.
                out.stderr_bytes(b"\x1b[2K");
            }
            out.note(text);
        });
    }

    /// Takes the progress line away.
    pub fn finish(&mut self) {
        if let Reports::Bar(Bar { bar, .. }) = &self.reports {
            bar.finish_and_clear();
        }
    }

    fn status(&mut self, status: JobStatus) {
        let Reports::Bar(Bar { bar, .. }) = &self.reports else { return };
        match status {
            JobStatus::Pending => bar.set_message("waiting for a worker"),
            JobStatus::Assigned => bar.set_message("a worker prepares"),
            JobStatus::Canceling => bar.set_message("stopping"),
            JobStatus::Running
            | JobStatus::Completed
            | JobStatus::Failed
            | JobStatus::Canceled
            | JobStatus::Unknown => {}
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let text = progress::line(progress);
        if text.is_empty() {
            // What the task is busy with is worth a place, not a line.
            if let (Reports::Bar(bar), Some(phase)) = (&self.reports, progress.phase)
                && !bar.has_progress
            {
                bar.bar.set_message(phase.as_str());
            }
            return;
        }
        let now = self.began.elapsed();
        let passes = match &mut self.reports {
            Reports::Bar(bar) => {
                bar.has_progress = true;
                bar.bar.set_message(text);
                return;
            }
            Reports::Thinned(thinner) => thinner.passes(progress, now),
            Reports::Each => true,
            Reports::None => false,
        };
        if passes {
            self.note(&text);
        }
    }

    fn output(&mut self, record: &Record) -> io::Result<()> {
        if let Data::Dropped(dropped) = &record.data {
            self.note(&lost(record, dropped));
            return Ok(());
        }
        let Some(mut bytes) = record.data.bytes() else {
            self.note(&format!("record {} of the output could not be read", record.seq));
            return Ok(());
        };
        match record.stream {
            Stream::Stdout => {
                let out = self.out;
                self.apart(|| out.bytes(&bytes))?;
            }
            Stream::Stderr => {
                if record.end == Some(LineEnd::Cr) && self.out.terminal_err() {
                    self.status_line(bytes);
                    return Ok(());
                }
                if record.end.is_some() {
                    bytes.push(b'\n');
                }
                let clear = std::mem::take(&mut self.on_status_line);
                let out = self.out;
                self.apart(|| {
                    if clear {
                        out.stderr_bytes(b"\x1b[2K");
                    }
                    out.stderr_bytes(&bytes);
                });
            }
            Stream::Worker => {
                let who = self.worker.as_ref().map_or("worker", WorkerId::as_str);
                self.note(&format!("{who}: {}", String::from_utf8_lossy(&bytes).trim_end()));
            }
        }
        Ok(())
    }

    /// FFmpeg's own status line. The progress line says the same and more, once there is one.
    fn status_line(&mut self, mut bytes: Vec<u8>) {
        if let Reports::Bar(bar) = &self.reports {
            if !bar.has_progress {
                bar.bar.set_message(String::from_utf8_lossy(&bytes).trim().to_owned());
            }
            return;
        }
        bytes.push(b'\r');
        self.out.stderr_bytes(&bytes);
        self.on_status_line = true;
    }

    /// Writes without disturbing the progress line.
    fn apart<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.reports {
            Reports::Bar(Bar { bar, .. }) => bar.suspend(write),
            Reports::Thinned(_) | Reports::Each | Reports::None => write(),
        }
    }
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, has_progress: false }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// How a job ended, in one line.
#[must_use]
pub fn ended(outcome: &Outcome) -> String {
    let (status, message) = (outcome.status.as_str(), outcome.message.as_str());
    if message.is_empty() {
        status.to_owned()
    } else if message.starts_with(status) {
        // `completed`, `canceled by alice`
        message.to_owned()
    } else {
        format!("{status}: {message}")
    }
}

/// How an attempt that was not the last one ended, in one line.
#[must_use]
pub fn attempt_ended(epoch: u32, end: AttemptEnd, message: Option<&str>) -> String {
    let end = match end {
        AttemptEnd::Completed => "ended well",
        AttemptEnd::Failed => "failed",
        AttemptEnd::Canceled => "was canceled",
        AttemptEnd::Rejected => "was refused by its worker",
        AttemptEnd::Lapsed => "is lost: its worker was not heard of any more",
        AttemptEnd::Unknown => "has ended in a way that only a newer version knows",
    };
    match message {
        // `canceled before it began`
        Some(message) if message.starts_with("canceled") => format!("attempt {epoch} was {message}"),
        Some(message) if !message.is_empty() => format!("attempt {epoch} {end}: {message}"),
        Some(_) | None => format!("attempt {epoch} {end}"),
    }
}

/// What is missing, and why, in one line.
#[must_use]
pub fn lost(record: &Record, dropped: &Dropped) -> String {
    let why = match dropped.reason {
        DropReason::LogCap => "the log is over its limit",
        DropReason::SpoolFull => "the worker had no room for it while no coordinator answered",
        DropReason::SpoolLost => "the worker lost it",
        DropReason::Unknown => "for a reason that only a newer version knows",
    };
    let records = dropped.to.saturating_sub(record.seq) + 1;
    let bytes = dropped.bytes.map(|bytes| format!(", {}", progress::bytes(bytes))).unwrap_or_default();
    format!("{records} pieces of {} are missing here{bytes}: {why}", record.stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_holes_are_said() {
        assert_eq!(attempt_ended(2, AttemptEnd::Failed, Some("exit code 1")), "attempt 2 failed: exit code 1");
        assert_eq!(attempt_ended(1, AttemptEnd::Rejected, None), "attempt 1 was refused by its worker");
        assert_eq!(
            attempt_ended(1, AttemptEnd::Canceled, Some("canceled before it began")),
            "attempt 1 was canceled before it began"
        );
        for (status, message, words) in [
            (JobStatus::Completed, "completed", "completed"),
            (JobStatus::Completed, "", "completed"),
            (JobStatus::Failed, "ffmpeg ended with code 1", "failed: ffmpeg ended with code 1"),
            (JobStatus::Canceled, "canceled by alice", "canceled by alice"),
        ] {
            let message = message.to_owned();
            let outcome = Outcome { status, exit_code: None, signal: None, failure: None, canceled: None, message };
            assert_eq!(ended(&outcome), words);
        }
        let dropped = Dropped { to: 9, bytes: Some(2_000), reason: DropReason::LogCap };
        let record = Record {
            seq: 3,
            stream: Stream::Stderr,
            at: jiff::Timestamp::UNIX_EPOCH,
            data: Data::Dropped(dropped),
            end: None,
        };
        assert_eq!(
            lost(&record, &dropped_of(&record)),
            "7 pieces of stderr are missing here, 2.0 kB: the log is over its limit"
        );
    }

    fn dropped_of(record: &Record) -> Dropped {
        match &record.data {
            Data::Dropped(dropped) => dropped.clone(),
            Data::Text(_) | Data::B64(_) => panic!("not a hole"),
        }
    }
}
