//! The output of one job, as far as a screen can show it.

use std::collections::VecDeque;

use ffleet_client::Followed;
use ffleet_protocol::{
    id::{JobId, WorkerId},
    job::Outcome,
    log::{Data, FollowRecord, LineEnd, Progress, Record},
    state::{JobStatus, Stream},
};

use super::model::Key;
use crate::screen;

/// Lines that can be scrolled back to.
const LINES: usize = 2_000;
/// Bytes of a line that are kept; no screen is wider.
const LINE: usize = 1_000;

/// The last lines of a job's output, and how it is going.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// The job.
    pub job: JobId,
    /// Where it stands.
    pub status: Option<JobStatus>,
    /// Who runs it.
    pub worker: Option<WorkerId>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why nothing new comes at the moment, or any more.
    pub trouble: Option<String>,
    /// Bytes of standard output that are no text.
    pub binary: u64,
    lines: VecDeque<Line>,
    /// How many lines from the end the last shown one is.
    back: usize,
}

/// A line of a job's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose it is.
    pub voice: Voice,
    /// The line.
    pub text: String,
    /// How it ended; without an end the next piece of its stream goes on with it.
    end: Option<LineEnd>,
}

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The program on standard output.
    Stdout,
    /// The program on standard error.
    Stderr,
    /// The worker, or ffleet.
    Ours,
}

impl Tail {
    /// Nothing yet.
    #[must_use]
    pub fn new(job: JobId) -> Self {
        Self {
            job,
            status: None,
            worker: None,
            progress: None,
            outcome: None,
            trouble: None,
            binary: 0,
            lines: VecDeque::new(),
            back: 0,
        }
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.outcome.is_some()
    }

    /// News of the job.
    pub fn followed(&mut self, news: Followed) {
        let record = match news {
            Followed::Record(record) => record,
            Followed::Interrupted(why) => {
                self.trouble = Some(format!("asking again: {why}"));
                return;
            }
        };
        self.trouble = None;
        match record {
            FollowRecord::Status { status, .. } => self.status = Some(status),
            FollowRecord::Attempt { epoch, worker, .. } => {
                self.ours(&format!("attempt {epoch} on {worker}"));
                self.worker = Some(worker);
                self.progress = None;
            }
            FollowRecord::AttemptEnded { epoch, end, message, .. } => {
                self.ours(&screen::attempt_ended(epoch, end, message.as_deref()));
            }
            FollowRecord::Progress { progress, .. } => self.progress = Some(progress),
            FollowRecord::Output { record, .. } => self.output(&record),
            FollowRecord::Outcome { outcome, .. } => {
                self.ours(&screen::ended(&outcome));
                self.status = Some(outcome.status);
                self.outcome = Some(outcome);
            }
            FollowRecord::Cursor { .. } | FollowRecord::KeepAlive {} | FollowRecord::Unknown => {}
        }
    }

    /// Nothing more comes.
    pub fn broken(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// The lines that fit into a window of this height, the first one first.
    pub fn window(&self, height: usize) -> impl Iterator<Item = &Line> {
        let end = self.lines.len().saturating_sub(self.back).max(height.min(self.lines.len()));
        self.lines.range(end.saturating_sub(height)..end)
    }

    /// How many lines are below the window.
    #[must_use]
    pub fn below(&self) -> usize {
        self.back
    }

    /// Moves the window.
    pub fn scroll(&mut self, key: Key, page: usize) {
        let last = self.lines.len().saturating_sub(1);
        self.back = match key {
            Key::Up | Key::Char('k') => self.back + 1,
            Key::Down | Key::Char('j') => self.back.saturating_sub(1),
            Key::PageUp => self.back + page,
            Key::PageDown => self.back.saturating_sub(page),
            Key::Home => last,
            Key::End => 0,
            Key::Next | Key::Previous | Key::Enter | Key::Escape | Key::Interrupt | Key::Char(_) => self.back,
        }
        .min(last);
    }

    fn ours(&mut self, text: &str) {
        self.push(Voice::Ours, text, Some(LineEnd::Lf));
    }

    fn output(&mut self, record: &Record) {
        let text = match &record.data {
            Data::Text(text) => text,
            Data::B64(_) if record.stream == Stream::Stdout => {
                self.binary += record.data.bytes().map_or(0, |bytes| bytes.len() as u64);
                return;
            }
            Data::B64(_) => &String::from_utf8_lossy(&record.data.bytes().unwrap_or_default()).into_owned(),
            Data::Dropped(dropped) => return self.ours(&screen::lost(record, dropped)),
        };
        match record.stream {
            Stream::Stderr => self.push(Voice::Stderr, text, record.end),
            Stream::Worker => self.push(Voice::Ours, text.trim_end(), Some(LineEnd::Lf)),
            // Bytes as they came: the ends of lines are among them.
            Stream::Stdout => {
                for piece in text.split_inclusive('\n') {
                    let (line, end) = match piece.strip_suffix('\n') {
                        Some(line) => (line, Some(LineEnd::Lf)),
                        None => (piece, None),
                    };
                    self.push(Voice::Stdout, line, end);
                }
            }
        }
    }

    fn push(&mut self, voice: Voice, text: &str, end: Option<LineEnd>) {
        if let Some(last) = self.lines.back_mut().filter(|last| last.voice == voice) {
            match last.end {
                None => {
                    append(&mut last.text, text);
                    last.end = end;
                    return;
                }
                // FFmpeg's status line: the next line is written over it.
                Some(LineEnd::Cr) => {
                    last.text.clear();
                    append(&mut last.text, text);
                    last.end = end;
                    return;
                }
                Some(LineEnd::Lf) => {}
            }
        }
        let mut line = Line { voice, text: String::new(), end };
        append(&mut line.text, text);
        self.lines.push_back(line);
        if self.back > 0 {
            // Whoever has scrolled back goes on reading what is there.
            self.back += 1;
        }
        if self.lines.len() > LINES {
            self.lines.pop_front();
            self.back = self.back.min(self.lines.len() - 1);
        }
    }
}

fn append(line: &mut String, text: &str) {
    line.push_str(text);
    line.truncate(line.floor_char_boundary(LINE));
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::{id::TaskId, log::DropReason, log::Dropped};

    use super::*;

    fn output(seq: u64, stream: Stream, data: Data, end: Option<LineEnd>) -> Followed {
        let record = Record { seq, stream, at: jiff::Timestamp::UNIX_EPOCH, data, end };
        Followed::Record(FollowRecord::Output { task: TaskId::new(), epoch: 1, record })
    }

    fn text(text: &str) -> Data {
        Data::Text(text.to_owned())
    }

    fn shown(tail: &Tail, height: usize) -> Vec<&str> {
        tail.window(height).map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn pieces_become_lines_and_status_lines_overwrite_each_other() {
        let mut tail = Tail::new(JobId::new());
        let mut err = |data: &str, end| tail.followed(output(1, Stream::Stderr, text(data), end));
        err("half a ", None);
        err("line", Some(LineEnd::Lf));
        err("frame= 1", Some(LineEnd::Cr));
        err("frame= 2", Some(LineEnd::Cr));
        err("done", Some(LineEnd::Lf));
        tail.followed(output(2, Stream::Stdout, text("{\n\"a\": 1"), None));
        tail.followed(output(3, Stream::Stdout, text("}\n"), None));
        tail.followed(output(4, Stream::Stdout, Data::B64("AAEC".to_owned()), None));
        assert_eq!(shown(&tail, 10), ["half a line", "done", "{", "\"a\": 1}"]);
        assert_eq!(tail.binary, 3);
        let hole = Data::Dropped(Dropped { to: 9, bytes: None, reason: DropReason::LogCap });
        tail.followed(output(5, Stream::Stderr, hole, None));
        assert_eq!(shown(&tail, 1), ["5 pieces of stderr are missing here: the log is over its limit"]);
    }

    #[test]
    fn who_scrolls_back_is_left_alone_by_what_comes() {
        let mut tail = Tail::new(JobId::new());
        let line = |tail: &mut Tail, n: usize| {
            tail.followed(output(1, Stream::Stderr, text(&format!("line {n}")), Some(LineEnd::Lf)));
        };
        (0..10).for_each(|n| line(&mut tail, n));
        tail.scroll(Key::Up, 10);
        tail.scroll(Key::Up, 10);
        assert_eq!(shown(&tail, 2), ["line 6", "line 7"]);
        line(&mut tail, 10);
        assert_eq!(shown(&tail, 2), ["line 6", "line 7"]);
        assert_eq!(tail.below(), 3);
        tail.scroll(Key::Home, 10);
        assert_eq!(shown(&tail, 2), ["line 0", "line 1"], "a window is full as long as there is something to show");
        tail.scroll(Key::End, 10);
        assert_eq!(shown(&tail, 2), ["line 9", "line 10"]);
        assert_eq!(shown(&tail, 0), [""; 0]);
    }

    #[test]
    fn memory_is_bounded_by_lines_and_by_their_length() {
        let mut tail = Tail::new(JobId::new());
        tail.scroll(Key::Up, 10);
        for _ in 0..3 * LINES {
            tail.followed(output(1, Stream::Stderr, text(&"é".repeat(LINE)), Some(LineEnd::Lf)));
        }
        tail.followed(output(1, Stream::Stderr, text(&"x".repeat(10 * LINE)), None));
        tail.followed(output(1, Stream::Stderr, text(&"x".repeat(10 * LINE)), None));
        assert_eq!(tail.window(usize::MAX).count(), LINES);
        assert!(tail.window(usize::MAX).all(|line| line.text.len() <= LINE));
        tail.scroll(Key::Home, 10);
        assert_eq!(tail.window(5).count(), 5);
    }
}
