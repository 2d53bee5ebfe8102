//! Follows a job to its end, whatever happens to connections and coordinators on the way.
//!
//! Coordinators give out a cursor every now and then. After a break the follower asks again from the last one, at
//! whichever coordinator answers, and leaves away what it has shown already, so nothing is missed or repeated.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use ffleet_protocol::{
    id::{JobId, TaskId},
    log::{Cursor, Data, FollowRecord, Record},
    state::{JobStatus, Stream},
};
use futures_util::{StreamExt, stream::BoxStream};
use tokio::time::Instant;

use crate::api::{Api, ApiError, RecordStream};

/// How long a follower goes on asking when nobody answers at all.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// So often whoever watches is told that nobody answers.
const ROUND: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a follower yields.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// Something about the job, told once.
    Record(FollowRecord),
    /// The connection broke off, for this reason; the follower is asking again.
    Interrupted(String),
}

/// Follows one job. Waiting for its next item may be given up (in a `select!`) and taken up again.
pub struct Follower {
    items: BoxStream<'static, Result<Followed, ApiError>>,
}

impl Follower {
    /// Follows `job` from the beginning, or from where `after` points, until it has ended.
    #[must_use]
    pub fn new(api: Api, job: JobId, after: Option<Cursor>) -> Self {
        Self::patient(api, job, after, PATIENCE)
    }

    /// The same, giving up when nobody has answered for so long.
    #[must_use]
    pub fn patient(api: Api, job: JobId, after: Option<Cursor>, patience: Duration) -> Self {
        let state = State {
            api,
            job,
            cursor: after,
            patience,
            stream: None,
            shown: Shown::default(),
            ended: false,
            pause: FIRST_PAUSE,
            silent_since: None,
        };
        Self { items: futures_util::stream::unfold(state, State::step).boxed() }
    }

    /// The next record; nothing after the outcome. An error is the last item as well.
    pub async fn next(&mut self) -> Result<Option<FollowRecord>, ApiError> {
        loop {
            match self.next_event().await? {
                Some(Followed::Record(record)) => return Ok(Some(record)),
                Some(Followed::Interrupted(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// As [`Self::next`], telling interruptions too.
    pub async fn next_event(&mut self) -> Result<Option<Followed>, ApiError> {
        self.items.next().await.transpose()
    }
}

struct State {
    api: Api,
    job: JobId,
    cursor: Option<Cursor>,
    patience: Duration,
    stream: Option<RecordStream>,
    shown: Shown,
    ended: bool,
    pause: Duration,
    /// When the connection was lost, until a record has come again.
    silent_since: Option<Instant>,
}

impl State {
    async fn step(mut self) -> Option<(Result<Followed, ApiError>, Self)> {
        while !self.ended {
            let Some(stream) = &mut self.stream else {
                match self.connect().await {
                    Ok(()) => continue,
                    Err(error) if error.is_passing() && self.is_patient() => {
                        return Some((Ok(Followed::Interrupted(error.to_string())), self));
                    }
                    Err(error) => {
                        self.ended = true;
                        return Some((Err(error), self));
                    }
                }
            };
            match stream.next().await {
                Some(Ok(record)) => {
                    self.pause = FIRST_PAUSE;
                    self.silent_since = None;
                    if let FollowRecord::Cursor { cursor } = &record {
                        self.cursor = Some(cursor.clone());
                    }
                    self.ended = matches!(record, FollowRecord::Outcome { .. });
                    if let Some(record) = self.shown.new_part_of(record) {
                        return Some((Ok(Followed::Record(record)), self));
                    }
                }
                // A coordinator that leaves ends its streams; the next one goes on with them.
                None => self.lost(),
                Some(Err(error)) if error.is_passing() => {
                    self.lost();
                    return Some((Ok(Followed::Interrupted(error.to_string())), self));
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some((Err(error), self));
                }
            }
        }
        None
    }

    fn lost(&mut self) {
        self.stream = None;
        self.silent_since.get_or_insert_with(Instant::now);
    }

    fn is_patient(&self) -> bool {
        self.silent_since.is_some_and(|since| since.elapsed() < self.patience)
    }

    async fn connect(&mut self) -> Result<(), ApiError> {
        if let Some(since) = self.silent_since {
            if since.elapsed() > FIRST_PAUSE {
                tokio::time::sleep(crate::api::jittered(self.pause)).await;
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        self.silent_since.get_or_insert_with(Instant::now);
        let api = self.api.with_deadline(ROUND.min(self.patience));
        self.stream = Some(api.logs(self.job, self.cursor.as_ref(), true).await?);
        Ok(())
    }
}

/// What was yielded already.
#[derive(Default)]
struct Shown {
    status: Option<JobStatus>,
    tasks: HashMap<TaskId, ShownOfTask>,
}

#[derive(Default)]
struct ShownOfTask {
    attempt: u32,
    ended: u32,
    /// The last number shown of each attempt, for standard output apart: it may be held back until an attempt has
    /// ended well, and then comes after higher numbers.
    last: BTreeMap<(u32, bool), u64>,
}

impl Shown {
    /// The part of `record` that was not shown before.
    fn new_part_of(&mut self, record: FollowRecord) -> Option<FollowRecord> {
        let fresh = match &record {
            FollowRecord::Status { status, .. } => self.status.replace(*status) != Some(*status),
            FollowRecord::Attempt { task, epoch, .. } => grows(&mut self.of(*task).attempt, *epoch),
            FollowRecord::AttemptEnded { task, epoch, .. } => grows(&mut self.of(*task).ended, *epoch),
            FollowRecord::Output { .. } => return self.new_output(record),
            FollowRecord::Progress { .. } | FollowRecord::Cursor { .. } | FollowRecord::Outcome { .. } => true,
            FollowRecord::KeepAlive {} | FollowRecord::Unknown => false,
        };
        fresh.then_some(record)
    }

    fn new_output(&mut self, record: FollowRecord) -> Option<FollowRecord> {
        let FollowRecord::Output { task, epoch, mut record } = record else { return None };
        let last = self.of(task).last.entry((epoch, record.stream == Stream::Stdout)).or_default();
        if record.last_seq() <= *last {
            return None;
        }
        trim(&mut record, *last);
        *last = record.last_seq();
        Some(FollowRecord::Output { task, epoch, record })
    }

    fn of(&mut self, task: TaskId) -> &mut ShownOfTask {
        self.tasks.entry(task).or_default()
    }
}

/// A hole may have grown over records that were shown before they went; the rest of it is still news.
fn trim(record: &mut Record, last: u64) {
    if matches!(record.data, Data::Dropped(_)) {
        record.seq = record.seq.max(last + 1);
    }
}

fn grows(last: &mut u32, new: u32) -> bool {
    let grown = new > *last;
    *last = new.max(*last);
    grown
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::log::{DropReason, Dropped};

    use super::*;

    fn output(task: TaskId, epoch: u32, stream: Stream, seq: u64, data: Data) -> FollowRecord {
        let record = Record { seq, stream, at: jiff::Timestamp::UNIX_EPOCH, data, end: None };
        FollowRecord::Output { task, epoch, record }
    }

    fn text() -> Data {
        Data::Text("x".to_owned())
    }

    #[test]
    fn records_are_shown_once() {
        let (mut shown, task, other) = (Shown::default(), TaskId::new(), TaskId::new());
        let mut new = |task, epoch, seq| shown.new_part_of(output(task, epoch, Stream::Stderr, seq, text())).is_some();
        assert!(new(task, 1, 1));
        assert!(new(task, 1, 2));
        assert!(!new(task, 1, 1));
        assert!(!new(task, 1, 2));
        assert!(new(other, 1, 1));
        assert!(new(task, 2, 1));
        assert!(!new(task, 1, 2));
    }

    #[test]
    fn held_back_stdout_is_shown_though_its_numbers_are_lower() {
        let (mut shown, task) = (Shown::default(), TaskId::new());
        assert!(shown.new_part_of(output(task, 1, Stream::Stderr, 9, text())).is_some());
        assert!(shown.new_part_of(output(task, 1, Stream::Stdout, 2, text())).is_some());
        assert!(shown.new_part_of(output(task, 1, Stream::Stdout, 2, text())).is_none());
    }

    #[test]
    fn a_hole_that_grew_is_shown_from_where_the_reader_was() {
        let (mut shown, task) = (Shown::default(), TaskId::new());
        shown.new_part_of(output(task, 1, Stream::Stderr, 5, text()));
        let hole = || Data::Dropped(Dropped { to: 9, bytes: None, reason: DropReason::LogCap });
        let seen = shown.new_part_of(output(task, 1, Stream::Stderr, 3, hole()));
        assert_eq!(seen, Some(output(task, 1, Stream::Stderr, 6, hole())));
        assert_eq!(shown.new_part_of(output(task, 1, Stream::Stderr, 3, hole())), None);
    }

    #[test]
    fn statuses_and_attempts_are_told_when_they_change() {
        let (mut shown, job, task) = (Shown::default(), JobId::new(), TaskId::new());
        let status = |status| FollowRecord::Status { job, status };
        assert!(shown.new_part_of(status(JobStatus::Pending)).is_some());
        assert!(shown.new_part_of(status(JobStatus::Pending)).is_none());
        assert!(shown.new_part_of(status(JobStatus::Running)).is_some());
        let worker = ffleet_protocol::id::WorkerId::new("w").unwrap();
        let attempt = |epoch| FollowRecord::Attempt { task, epoch, worker: worker.clone() };
        assert!(shown.new_part_of(attempt(1)).is_some());
        assert!(shown.new_part_of(attempt(1)).is_none());
        assert!(shown.new_part_of(attempt(2)).is_some());
    }
}
