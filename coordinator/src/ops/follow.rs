//! Following a job: its output and what becomes of it, from any point on.
//!
//! A follower's place is in its cursor and nowhere else, so any coordinator can go on where another one stopped.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use ffleet_protocol::{
    id::{JobId, TaskId},
    job::AttemptView,
    limits,
    log::{Cursor, Data, DropReason, Dropped, FollowRecord, Position, Record},
    state::{JobStatus, Stream as Source, TaskStatus},
    topic::Topic,
};
use futures_util::stream::{self, Stream};

use super::{
    Caller, OpError, no_such_job,
    shared::{Look, Page, Place, Shared},
};
use crate::{
    app::App,
    notify::Listening,
    store::{
        json,
        tasks::{SeenJob, SeenTask},
    },
};

/// Chunks that one look at an attempt reads.
const CHUNKS: u64 = 32;
/// Lines of several attempts that are gathered before they are sent.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// A follower looks by itself every so often, in case a ring was lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

struct Follower {
    app: Arc<App>,
    job: JobId,
    cursor: Cursor,
    follow: bool,
    listening: Listening,
    shared: Arc<Shared>,
    /// Found and not handed on yet.
    ready: VecDeque<Bytes>,
    told_status: Option<JobStatus>,
    told_progress: HashMap<TaskId, String>,
    quiet_since: tokio::time::Instant,
    over: bool,
}

/// Lines of JSON (NDJSON), whole ones at a time: what there is after the cursor and, with `follow`, what comes until the
/// job has ended.
pub async fn open(
    app: Arc<App>,
    who: &Caller,
    job: JobId,
    cursor: Cursor,
    follow: bool,
) -> Result<impl Stream<Item = Bytes> + use<>, OpError> {
    app.store.job(job).await?.filter(|row| who.sees(&row.requester)).ok_or_else(no_such_job)?;
    let listening = app.bells.listen(&[Topic::Job(job)]);
    let follower = Follower {
        shared: app.followed.join(job),
        ready: VecDeque::new(),
        app,
        job,
        cursor,
        follow,
        listening,
        told_status: None,
        told_progress: HashMap::new(),
        quiet_since: tokio::time::Instant::now(),
        over: false,
    };
    Ok(stream::unfold(follower, |mut follower| async move {
        let lines = follower.next().await?;
        Some((lines, follower))
    }))
}

/// What one look found.
#[derive(Default)]
struct Found {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// Lines of our own that go behind the last piece.
    said: Vec<u8>,
    moved: bool,
    /// There is more to read at once.
    more: bool,
}

impl Found {
    fn say(&mut self, record: &FollowRecord) {
        self.said.extend_from_slice(json(record).as_bytes());
        self.said.push(b'\n');
    }

    /// Lines that all followers share: handed on as they are.
    fn pass_on(&mut self, lines: Bytes) {
        if !lines.is_empty() {
            self.bytes += lines.len();
            self.close();
            self.pieces.push_back(lines);
        }
    }

    fn close(&mut self) {
        if !self.said.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.said).into());
        }
    }
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(piece);
            }
            if self.over || self.app.leaving.is_cancelled() {
                return None;
            }
            match self.look().await {
                Ok(found) => self.ready = found,
                Err(error) => {
                    // The connection ends without an outcome, and whoever follows asks again from its cursor.
                    tracing::warn!(job.id = %self.job, %error, "a follower of job {} is cut off", self.job);
                    return None;
                }
            }
            if !self.ready.is_empty() {
                self.quiet_since = tokio::time::Instant::now();
                continue;
            }
            if self.over {
                return None;
            }
            let alive = self.quiet_since + Duration::from_secs(limits::KEEP_ALIVE_S);
            tokio::select! {
                () = self.listening.heard() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = self.app.leaving.cancelled() => {}
                () = tokio::time::sleep_until(alive) => {
                    self.quiet_since = tokio::time::Instant::now();
                    return Some(Bytes::from(json(&FollowRecord::KeepAlive {}) + "\n"));
                }
            }
        }
    }

    /// The job's row is read before its output. Once it says that the job has ended, every record is there: an end is not
    /// taken before all output is.
    async fn look(&mut self) -> Result<VecDeque<Bytes>, OpError> {
        let look = self.shared.look(&self.app).await?;
        let seen = &look.seen;
        let mut found = Found::default();
        if self.told_status != Some(seen.job.status) {
            self.told_status = Some(seen.job.status);
            found.say(&FollowRecord::Status { job: self.job, status: seen.job.status });
        }
        let attempts =
            if self.needs_attempts(seen) { self.shared.attempts(&self.app, &look).await? } else { Arc::default() };
        for task in &seen.tasks {
            let attempts = attempts.get(&task.task.id).map(Vec::as_slice).unwrap_or_default();
            self.task(&look, task, attempts, &mut found).await?;
            self.progress(task, &mut found);
        }
        if found.moved {
            found.say(&FollowRecord::Cursor { cursor: self.cursor.clone() });
        }
        if !found.more {
            if let Some(outcome) = &seen.job.outcome {
                found.say(&FollowRecord::Outcome { job: self.job, outcome: outcome.clone() });
                self.over = true;
            }
            self.over |= !self.follow;
        }
        found.close();
        Ok(found.pieces)
    }

    fn place(&self, task: TaskId) -> Position {
        self.cursor.tasks.get(&task).copied().unwrap_or_default()
    }

    fn needs_attempts(&self, seen: &SeenJob) -> bool {
        seen.tasks.iter().any(|task| {
            let place = self.place(task.task.id);
            let untold = task.task.state.lease().is_none() && !place.end_told && task.task.epoch > 0;
            place.epoch != task.task.epoch || untold
        })
    }

    /// Goes through the attempts of a task, from the follower's place to the current one.
    async fn task(
        &mut self,
        look: &Look,
        task: &SeenTask,
        attempts: &[AttemptView],
        found: &mut Found,
    ) -> Result<(), OpError> {
        let id = task.task.id;
        let hold_back = look.seen.job.policy.rerun_stdout;
        let mut place = self.place(id);
        if place.epoch > task.task.epoch {
            // Not a place in this database, perhaps of one that was restored since: begin anew.
            place = Position::default();
        }
        let before = place;
        if task.task.epoch == 0 {
            return Ok(());
        }
        loop {
            if found.bytes > PAGE_BYTES {
                found.more = true;
                break;
            }
            if place.epoch == 0 {
                place = begin(id, 1, attempts, found);
            }
            if !self.output(look, id, &mut place, found).await? {
                found.more = true;
                break;
            }
            let last = place.epoch == task.task.epoch;
            let terminal = task.task.state.status().is_terminal();
            if last && terminal {
                if hold_back && task.task.state.status() == TaskStatus::Completed {
                    found.more |= !self.held_back(look, id, &mut place, found).await?;
                }
                break;
            }
            tell_end(id, attempts, &mut place, found);
            if last {
                break;
            }
            place = begin(id, place.epoch + 1, attempts, found);
        }
        if place != before {
            self.cursor.tasks.insert(id, place);
            found.moved = true;
        }
        Ok(())
    }

    /// The lines of an attempt after the follower's place; says whether these were all there are.
    async fn output(
        &self,
        look: &Look,
        task: TaskId,
        place: &mut Position,
        found: &mut Found,
    ) -> Result<bool, OpError> {
        let hold_back = look.seen.job.policy.rerun_stdout;
        let from = Place { task, epoch: place.epoch, after: place.seq, only: None };
        let page = self.shared.page(&self.app, look, from, hold_back).await?;
        found.pass_on(page.lines);
        place.seq = page.through;
        Ok(!page.more)
    }

    /// Standard output that waited for a good end.
    async fn held_back(
        &self,
        look: &Look,
        task: TaskId,
        place: &mut Position,
        found: &mut Found,
    ) -> Result<bool, OpError> {
        let from = Place { task, epoch: place.epoch, after: place.stdout_seq, only: Some(Source::Stdout) };
        let page = self.shared.page(&self.app, look, from, false).await?;
        found.pass_on(page.lines);
        place.stdout_seq = page.through;
        Ok(!page.more)
    }

    fn progress(&mut self, task: &SeenTask, found: &mut Found) {
        let Some(text) = &task.output.progress else { return };
        if self.told_progress.get(&task.task.id) == Some(text) || task.task.state.lease().is_none() {
            return;
        }
        if let Ok(progress) = serde_json::from_str(text) {
            found.say(&FollowRecord::Progress { task: task.task.id, epoch: task.task.epoch, progress });
        }
        self.told_progress.insert(task.task.id, text.clone());
    }
}

/// Reads the lines from a place on. Where some are missing, the log's limit took them, and that is said.
pub(super) async fn page(app: &App, from: Place, hold_back: bool) -> Result<Page, OpError> {
    let Place { task, epoch, after, only } = from;
    let read = app.store.lines_after(task, epoch, after, only, CHUNKS).await?;
    let mut lines = Vec::with_capacity(read.lines.iter().map(|line| line.json.len()).sum());
    let mut seq = after;
    for line in read.lines {
        if only.is_none() && line.seq > seq + 1 {
            lines.extend_from_slice(&hole(task, epoch, seq + 1, line.seq - 1));
        }
        if !(hold_back && line.stream == Source::Stdout) {
            lines.extend_from_slice(&line.json);
        }
        seq = line.last_seq;
    }
    if only.is_none() && read.through > seq {
        lines.extend_from_slice(&hole(task, epoch, seq + 1, read.through));
    }
    Ok(Page { lines: lines.into(), through: read.through.max(seq), more: read.more })
}

fn begin(task: TaskId, epoch: u32, attempts: &[AttemptView], found: &mut Found) -> Position {
    if let Some(attempt) = attempts.iter().find(|attempt| attempt.epoch == epoch) {
        found.say(&FollowRecord::Attempt { task, epoch, worker: attempt.worker.clone() });
    }
    Position { epoch, ..Position::default() }
}

fn tell_end(task: TaskId, attempts: &[AttemptView], place: &mut Position, found: &mut Found) {
    let ended = attempts.iter().find(|attempt| attempt.epoch == place.epoch);
    if let Some((attempt, end)) = ended.and_then(|attempt| Some((attempt, attempt.end?)))
        && !place.end_told
    {
        let message = attempt.message.clone();
        found.say(&FollowRecord::AttemptEnded { task, epoch: place.epoch, end, message });
        place.end_told = true;
    }
}

/// Records that the limit of the log took.
fn hole(task: TaskId, epoch: u32, from: u64, to: u64) -> Vec<u8> {
    let data = Data::Dropped(Dropped { to, bytes: None, reason: DropReason::LogCap });
    let record =
        Record { seq: from, stream: Source::Stderr, at: ffleet_protocol::Timestamp::UNIX_EPOCH, data, end: None };
    (json(&FollowRecord::Output { task, epoch, record }) + "\n").into_bytes()
}
