//! Loading a task with everything a decision about it needs, and writing what was decided.

use ffleet_protocol::{
    Timestamp,
    id::{EventId, JobId, RequestId, TaskId},
    job::{AttemptEnd, Outcome},
    state::{JobStatus, TaskStatus},
    task::NumberedSignal,
};
use sea_orm::{
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, SimpleExpr},
};

use super::{
    Store, StoreError, Writers,
    change::Change,
    commit::{Awaited, Commit, Guard},
    convert::{from_json, micros, read_task, to_json, write_task},
    jobs::{JobRow, Retention},
    row,
};
use crate::domain::{AttemptChange, Next, job, task::Task};

/// A job and its tasks, as they were read.
#[derive(Debug, Clone)]
pub(crate) struct SeenJob {
    /// The store's time when they were read.
    pub(crate) now: Timestamp,
    /// The job's own row.
    pub(crate) job: JobRow,
    /// Its tasks, in the order of their making.
    pub(crate) tasks: Vec<SeenTask>,
}

/// A task as it was read.
#[derive(Debug, Clone)]
pub(crate) struct SeenTask {
    /// What the life cycle knows of it.
    pub(crate) task: Task,
    /// Its row.
    pub(crate) row: row::task::Model,
    /// The row of its output.
    pub(crate) output: row::output::Model,
    /// Signals that clients sent to the current attempt.
    pub(crate) signals: Vec<NumberedSignal>,
}

/// Who did something, for the audit log.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    /// An account, or `janitor`.
    pub(crate) name: String,
    /// The request that brought it.
    pub(crate) request_id: RequestId,
}

impl SeenTask {
    /// What its rows stand for.
    pub(crate) fn of(row: row::task::Model, output: row::output::Model) -> Result<Self, StoreError> {
        let task = read_task(&row, &output)?;
        Ok(Self { task, signals: from_json(row.id, &row.signals)?, output, row })
    }
}

impl SeenJob {
    /// The task of this id.
    pub(crate) fn task(&self, id: TaskId) -> Option<&SeenTask> {
        self.tasks.iter().find(|seen| seen.task.id == id)
    }
}

impl Store {
    /// The ids of tasks that `filter` lets through, the first `limit` of them, with their jobs.
    pub(crate) async fn task_ids(
        &self,
        filter: sea_orm::Condition,
        order: row::task::Column,
        limit: u64,
    ) -> Result<Vec<(TaskId, JobId)>, StoreError> {
        let found: Vec<(uuid::Uuid, uuid::Uuid)> = row::task::Entity::find()
            .select_only()
            .columns([row::task::Column::Id, row::task::Column::JobId])
            .filter(filter)
            .order_by_asc(order)
            .limit(limit)
            .into_tuple()
            .all(self.hints())
            .await?;
        Ok(found.into_iter().map(|(task, job)| (TaskId(task), JobId(job))).collect())
    }
}

/// What waits for other jobs. As text: the index of these tasks is used only for a value that stands in the statement.
pub(crate) fn is_blocked() -> SimpleExpr {
    Expr::cust("state = 'blocked'")
}

/// What a transition leads to, for whoever announces it.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    /// The job as it stands once this is written.
    pub(crate) after: SeenJob,
    /// The job's status now.
    pub(crate) status: JobStatus,
    /// How the job ended, if it has.
    pub(crate) outcome: Option<Outcome>,
    /// Whether others wait for the end of the job.
    pub(crate) awaited: Option<Awaited>,
}

/// The commit of one transition: the task under its version, the job that folds over it under its own, the attempt, and the
/// event; the output's row is guarded because the decision read it, and written where others may write at the same time: an
/// append reads the task and writes the output, an end the other way round. A renewed lease is no transition: it writes the task
/// alone.
pub(crate) fn transition(
    seen: &SeenJob,
    task: &SeenTask,
    next: &Next,
    actor: &Actor,
    keep: Retention,
    writers: Writers,
) -> Result<(Commit, Decided), StoreError> {
    let mut commit = Commit::default();
    let mut row = task.row.clone();
    write_task(&mut row, &next.task, seen.now);
    row.queue_deadline = seen.job.queue_deadline(row.queue_deadline, &next.task, seen.now);
    let claimed = matches!(next.attempt, Some(AttemptChange::Claimed));
    if claimed {
        row.signals = "[]".to_owned();
    }
    row.version += 1;
    commit.guards.push(Guard::Task(task.task.id, task.row.version));
    commit.changes.push(Change::of("tasks", row::task::Column::Id, row.id).becomes(&task.row, &row));
    let mut output = task.output.clone();
    if next.is_recorded() {
        commit.guards.push(Guard::Output(task.task.id, task.output.version));
        if claimed {
            output = renumbered(&task.output, &next.task);
            let change = Change::of("task_output", row::output::Column::TaskId, row.id);
            commit.changes.push(change.becomes(&task.output, &output));
        } else if writers == Writers::Many {
            output.version += 1;
            let change = Change::of("task_output", row::output::Column::TaskId, row.id);
            commit.changes.push(change.next(task.output.version));
        }
    }
    let mut after = seen.clone();
    if let Some(this) = after.tasks.iter_mut().find(|other| other.task.id == task.task.id) {
        *this = SeenTask::of(row, output)?;
    }
    if !next.is_recorded() {
        return Ok((commit, Decided { status: seen.job.status, outcome: None, awaited: None, after }));
    }
    let outcome = fold_job(&mut after, next, keep, &mut commit);
    commit.rows.events.push(event(&seen.job, task, next, actor, seen.now));
    if let Some(change) = &next.attempt {
        attempt(seen, &next.task, change, &mut commit);
    }
    let awaited = outcome.is_some().then(|| Awaited::of(seen.job.id));
    commit.asks.clone_from(&awaited);
    Ok((commit, Decided { status: after.job.status, outcome, awaited, after }))
}

/// A new attempt numbers its output from 1 again.
fn renumbered(output: &row::output::Model, next: &Task) -> row::output::Model {
    row::output::Model {
        version: output.version + 1,
        epoch: i64::from(next.epoch),
        next_seq: 1,
        stdout_bytes: 0,
        stdout_lost: 0,
        progress: None,
        progress_at: None,
        ..output.clone()
    }
}

/// Makes of the job what its tasks say, and says how it has ended if it has.
fn fold_job(after: &mut SeenJob, next: &Next, keep: Retention, commit: &mut Commit) -> Option<Outcome> {
    use row::job::Column as C;
    let status = job::status_of(after.tasks.iter().map(|task| task.task.state.status()));
    let outcome = job::outcome_of(after.tasks.iter().map(|task| &task.task.state));
    let job = &mut after.job;
    let mut change = Change::of("jobs", C::Id, job.id.0).next(job.version);
    commit.guards.push(Guard::Job(job.id, job.version));
    job.version += 1;
    if status != job.status {
        job.status = status;
        change = change.set(C::Status, status.as_str());
    }
    if job.started_at.is_none() && next.task.state.status() == TaskStatus::Running {
        job.started_at = Some(after.now);
        change = change.set(C::StartedAt, micros(after.now));
    }
    if job.client_until.is_some() && (status == JobStatus::Canceling || outcome.is_some()) {
        // Nobody's silence decides anything about it any more.
        job.client_until = None;
        change = change.set(C::ClientUntil, Option::<i64>::None);
    }
    if let Some(outcome) = &outcome {
        job.outcome = Some(outcome.clone());
        job.ended_at = Some(after.now);
        change = change
            .set(C::Outcome, to_json(outcome))
            .set(C::EndedAt, micros(after.now))
            .set(C::PurgeAt, micros(keep.until(status, after.now)));
    }
    commit.changes.push(change);
    outcome
}

fn event(job: &JobRow, task: &SeenTask, next: &Next, actor: &Actor, now: Timestamp) -> row::event::Model {
    let holder = next.task.state.holder().or_else(|| task.task.state.holder());
    row::event::Model {
        id: EventId::at(now).0,
        at: micros(now),
        job_id: job.id.0,
        task_id: task.row.id,
        requester: job.requester.as_str().to_owned(),
        epoch: i64::from(next.task.epoch),
        from_state: Some(task.row.state.clone()),
        to_state: next.task.state.status().as_str().to_owned(),
        what: next.what.to_owned(),
        actor: actor.name.clone(),
        worker_id: holder.map(|holder| holder.worker.as_str().to_owned()),
        request_id: actor.request_id.0,
        source: 0,
    }
}

/// The word of an attempt's end in its column.
pub(crate) fn end_word(end: AttemptEnd) -> &'static str {
    match end {
        AttemptEnd::Completed => "completed",
        AttemptEnd::Failed => "failed",
        AttemptEnd::Canceled => "canceled",
        AttemptEnd::Rejected => "rejected",
        AttemptEnd::Lapsed | AttemptEnd::Unknown => "lapsed",
    }
}

fn attempt(seen: &SeenJob, next: &Task, change: &AttemptChange, commit: &mut Commit) {
    use row::attempt::Column as C;
    let this = Change::of("attempts", C::TaskId, next.id.0).and(C::Epoch, i64::from(next.epoch));
    match change {
        AttemptChange::Claimed => {
            let Some(holder) = next.state.holder() else { return };
            commit.rows.attempts.push(row::attempt::Model {
                task_id: next.id.0,
                epoch: i64::from(next.epoch),
                job_id: seen.job.id.0,
                worker_id: holder.worker.as_str().to_owned(),
                incarnation: holder.incarnation.0,
                token: holder.token.0,
                grant_no: 0,
                claimed_at: micros(seen.now),
                started_at: None,
                ended_at: None,
                end_kind: None,
                exit_code: None,
                exit_signal: None,
                failure: None,
                message: None,
            });
        }
        AttemptChange::Started => commit.changes.push(this.set(C::StartedAt, micros(seen.now))),
        AttemptChange::Ended { end, exit_code, signal, failure, message } => commit.changes.push(
            this.set(C::EndedAt, micros(seen.now))
                .set(C::EndKind, end_word(*end))
                .set(C::ExitCode, exit_code.map(i64::from))
                .set(C::ExitSignal, signal.map(i64::from))
                .set(C::Failure, failure.map(|failure| failure.as_str()))
                .set(C::Message, (!message.is_empty()).then(|| message.clone())),
        ),
        AttemptChange::Reopened => commit.changes.push(
            this.set(C::EndedAt, Option::<i64>::None)
                .set(C::EndKind, Option::<String>::None)
                .set(C::Failure, Option::<String>::None)
                .set(C::Message, Option::<String>::None),
        ),
    }
}

/// A word of an attempt's end from its column.
pub(crate) fn read_end(text: &str) -> Result<AttemptEnd, StoreError> {
    [AttemptEnd::Completed, AttemptEnd::Failed, AttemptEnd::Canceled, AttemptEnd::Rejected, AttemptEnd::Lapsed]
        .into_iter()
        .find(|end| end_word(*end) == text)
        .ok_or_else(|| StoreError::corrupt(text, "no such end of an attempt"))
}

/// Replaces the signals of a task's current attempt.
pub(crate) fn add_signal(commit: &mut Commit, task: TaskId, version: i64, signals: &[NumberedSignal]) {
    use row::task::Column as C;
    commit.guards.push(Guard::Task(task, version));
    let change = Change::of("tasks", C::Id, task.0).next(version).set(C::Signals, to_json(&signals));
    commit.changes.push(change);
}
