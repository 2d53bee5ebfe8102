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
    sea_query::{Expr, ExprTrait, Query, UpdateStatement},
};

use super::{
    Store, StoreError,
    commit::{Commit, Guard},
    convert::{micros, to_json, write_task},
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
            .all(self.reader())
            .await?;
        Ok(found.into_iter().map(|(task, job)| (TaskId(task), JobId(job))).collect())
    }
}

/// What a transition leads to, for whoever announces it.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    /// The job's status now.
    pub(crate) status: JobStatus,
    /// How the job ended, if it has.
    pub(crate) outcome: Option<Outcome>,
}

/// The commit of one transition: the task under its version, the job that folds over it under its own, the attempt, the
/// output's row because the decision read it, and the event. A renewed lease is no transition: it writes the task alone.
pub(crate) fn transition(
    seen: &SeenJob,
    task: &SeenTask,
    next: &Next,
    actor: &Actor,
    keep: Retention,
) -> (Commit, Decided) {
    let mut commit = Commit::default();
    let mut row = task.row.clone();
    write_task(&mut row, &next.task, seen.now);
    row.queue_deadline = seen.job.queue_deadline(row.queue_deadline, &next.task, seen.now);
    let claimed = matches!(next.attempt, Some(AttemptChange::Claimed));
    if claimed {
        row.signals = "[]".to_owned();
    }
    commit.guards.push(Guard::Task(task.task.id, task.row.version));
    commit.updates.push(update_task(&row, task.row.version));
    if !next.is_recorded() {
        return (commit, Decided { status: seen.job.status, outcome: None });
    }
    commit.guards.push(Guard::Output(task.task.id, task.output.version));
    commit.updates.push(update_output(task, claimed.then_some(&next.task)));
    let decided = fold_job(seen, task, &next.task, keep, &mut commit);
    commit.rows.events.push(event(&seen.job, task, next, actor, seen.now));
    if let Some(change) = &next.attempt {
        attempt(seen, &next.task, change, &mut commit);
    }
    (commit, decided)
}

fn update_task(row: &row::task::Model, version: i64) -> UpdateStatement {
    use row::task::Column as C;
    Query::update()
        .table(row::task::Entity)
        .values([
            (C::Version, (version + 1).into()),
            (C::State, row.state.as_str().into()),
            (C::Epoch, row.epoch.into()),
            (C::ClaimNeed, row.claim_need.into()),
            (C::ClaimPriority, row.claim_priority.into()),
            (C::LivePriority, row.live_priority.into()),
            (C::NotBefore, row.not_before.into()),
            (C::QueueDeadline, row.queue_deadline.into()),
            (C::WorkerId, row.worker_id.clone().into()),
            (C::LeaseUntil, row.lease_until.into()),
            (C::HolderWorker, row.holder_worker.clone().into()),
            (C::HolderIncarnation, row.holder_incarnation.into()),
            (C::HolderToken, row.holder_token.into()),
            (C::Failures, row.failures.into()),
            (C::Crashes, row.crashes.into()),
            (C::Rejections, row.rejections.into()),
            (C::Ran, row.ran.into()),
            (C::Detail, row.detail.as_str().into()),
            (C::Signals, row.signals.as_str().into()),
        ])
        .and_where(Expr::col(C::Id).eq(row.id))
        .and_where(Expr::col(C::Version).eq(version))
        .to_owned()
}

/// A new attempt numbers its output from 1 again; any other transition only marks that its decision read this row.
fn update_output(task: &SeenTask, claimed: Option<&Task>) -> UpdateStatement {
    use row::output::Column as C;
    let mut update = Query::update();
    update
        .table(row::output::Entity)
        .value(C::Version, task.output.version + 1)
        .and_where(Expr::col(C::TaskId).eq(task.row.id))
        .and_where(Expr::col(C::Version).eq(task.output.version));
    if let Some(next) = claimed {
        update
            .value(C::Epoch, i64::from(next.epoch))
            .value(C::NextSeq, 1)
            .value(C::StdoutBytes, 0)
            .value(C::StdoutLost, 0)
            .value(C::Progress, Option::<String>::None)
            .value(C::ProgressAt, Option::<i64>::None);
    }
    update
}

fn fold_job(seen: &SeenJob, task: &SeenTask, next: &Task, keep: Retention, commit: &mut Commit) -> Decided {
    use row::job::Column as C;
    let states: Vec<&crate::domain::task::TaskState> = seen
        .tasks
        .iter()
        .map(|other| if other.task.id == task.task.id { &next.state } else { &other.task.state })
        .collect();
    let status = job::status_of(states.iter().map(|state| state.status()));
    let outcome = job::outcome_of(states.iter().copied());
    let mut update = Query::update();
    update
        .table(row::job::Entity)
        .value(C::Version, seen.job.version + 1)
        .value(C::Status, status.as_str())
        .and_where(Expr::col(C::Id).eq(seen.job.id.0))
        .and_where(Expr::col(C::Version).eq(seen.job.version));
    if seen.job.started_at.is_none() && next.state.status() == TaskStatus::Running {
        update.value(C::StartedAt, micros(seen.now));
    }
    if status == JobStatus::Canceling {
        // Nobody's silence decides anything about it any more.
        update.value(C::ClientUntil, Option::<i64>::None);
    }
    if let Some(outcome) = &outcome {
        update
            .value(C::Outcome, to_json(outcome))
            .value(C::EndedAt, micros(seen.now))
            .value(C::PurgeAt, micros(keep.until(status, seen.now)))
            .value(C::ClientUntil, Option::<i64>::None);
    }
    commit.guards.push(Guard::Job(seen.job.id, seen.job.version));
    commit.updates.push(update);
    Decided { status, outcome }
}

fn event(job: &JobRow, task: &SeenTask, next: &Next, actor: &Actor, now: Timestamp) -> row::event::Model {
    let holder = next.task.state.holder().or_else(|| task.task.state.holder());
    row::event::Model {
        id: EventId::new().0,
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
        AttemptEnd::Lapsed => "lapsed",
    }
}

fn attempt(seen: &SeenJob, next: &Task, change: &AttemptChange, commit: &mut Commit) {
    use row::attempt::Column as C;
    let mut update = Query::update();
    update
        .table(row::attempt::Entity)
        .and_where(Expr::col(C::TaskId).eq(next.id.0))
        .and_where(Expr::col(C::Epoch).eq(i64::from(next.epoch)));
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
            return;
        }
        AttemptChange::Started => {
            update.value(C::StartedAt, micros(seen.now));
        }
        AttemptChange::Ended { end, exit_code, signal, failure, message } => {
            update
                .value(C::EndedAt, micros(seen.now))
                .value(C::EndKind, end_word(*end))
                .value(C::ExitCode, exit_code.map(i64::from))
                .value(C::ExitSignal, signal.map(i64::from))
                .value(C::Failure, failure.map(|failure| failure.as_str()))
                .value(C::Message, (!message.is_empty()).then(|| message.clone()));
        }
        AttemptChange::Reopened => {
            update
                .value(C::EndedAt, Option::<i64>::None)
                .value(C::EndKind, Option::<String>::None)
                .value(C::Failure, Option::<String>::None)
                .value(C::Message, Option::<String>::None);
        }
    }
    commit.updates.push(update);
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
    commit.updates.push(
        Query::update()
            .table(row::task::Entity)
            .value(C::Version, version + 1)
            .value(C::Signals, to_json(&signals))
            .and_where(Expr::col(C::Id).eq(task.0))
            .and_where(Expr::col(C::Version).eq(version))
            .to_owned(),
    );
}
