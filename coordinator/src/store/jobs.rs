//! Jobs: their rows, their making, and what their requesters may change.

use std::collections::HashMap;

use ffleet_protocol::{
    Timestamp,
    id::{AccountId, EventId, Incarnation, JobId, TaskId},
    job::{JobSpec, Outcome, RetryPolicy, RetryRule},
    state::JobStatus,
    task::Command,
};
use jiff::SignedDuration;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    change::Change,
    commit::{Commit, Guard},
    convert::{from_json, micros, moment, moment_opt, to_json, word, write_task},
    row,
    tasks::Actor,
};
use crate::domain::task::{Task, TaskState};

/// A job's row.
#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    pub(crate) id: JobId,
    pub(crate) requester: AccountId,
    pub(crate) version: i64,
    pub(crate) status: JobStatus,
    pub(crate) priority: i32,
    pub(crate) policy: JobPolicy,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) retry_of: Option<JobId>,
    pub(crate) monitored: bool,
    pub(crate) follower: Option<Incarnation>,
    pub(crate) beat: u64,
    pub(crate) client_until: Option<Timestamp>,
    pub(crate) retried_by: Option<JobId>,
}

/// What decisions about a job's tasks need of its spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobPolicy {
    #[serde(default)]
    pub(crate) retry: RetryPolicy,
    #[serde(default)]
    pub(crate) rerun_stdout: bool,
    #[serde(default)]
    pub(crate) queue_timeout_s: Option<u64>,
    #[serde(default)]
    pub(crate) timeout_s: Option<u64>,
    #[serde(default)]
    pub(crate) lease_s: Option<u64>,
}

impl JobPolicy {
    /// The part of a spec that decisions need.
    pub(crate) fn of(spec: &JobSpec) -> Self {
        Self {
            retry: spec.retry.clone(),
            rerun_stdout: spec.rerun_stdout,
            queue_timeout_s: spec.queue_timeout_s,
            timeout_s: spec.timeout_s,
            lease_s: spec.lease_s,
        }
    }
}

/// How long ended jobs are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub(crate) finished: SignedDuration,
    pub(crate) failed: SignedDuration,
}

impl Retention {
    pub(crate) fn until(self, status: JobStatus, now: Timestamp) -> Timestamp {
        let keep = if status == JobStatus::Failed { self.failed } else { self.finished };
        now.saturating_add(keep).unwrap_or(Timestamp::MAX)
    }
}

impl JobRow {
    pub(crate) fn read(row: row::job::Model) -> Result<Self, StoreError> {
        let id = JobId(row.id);
        Ok(Self {
            id,
            requester: word(&row.requester)?,
            version: row.version,
            status: word(&row.status)?,
            priority: i32::try_from(row.priority).map_err(|error| StoreError::corrupt(id, error))?,
            policy: from_json(id, &row.policy)?,
            created_at: moment(row.created_at)?,
            started_at: moment_opt(row.started_at)?,
            ended_at: moment_opt(row.ended_at)?,
            outcome: row.outcome.map(|text| from_json(id, &text)).transpose()?,
            retry_of: row.retry_of.map(JobId),
            monitored: row.monitored != 0,
            follower: row.follower.map(Incarnation),
            beat: u64::try_from(row.beat).map_err(|error| StoreError::corrupt(id, error))?,
            client_until: moment_opt(row.client_until)?,
            retried_by: row.retried_by.map(JobId),
        })
    }

    /// Until when a worker must have accepted the task: from the moment on when it first could have been claimed, and only
    /// until it has run.
    pub(crate) fn queue_deadline(&self, before: Option<i64>, task: &Task, now: Timestamp) -> Option<i64> {
        let after = self.policy.queue_timeout_s.and_then(|s| i64::try_from(s).ok())?;
        match &task.state {
            TaskState::Pending { .. } | TaskState::Assigned { .. } if !task.ran => {
                before.or_else(|| now.saturating_add(SignedDuration::from_secs(after)).ok().map(micros))
            }
            _ => None,
        }
    }
}

/// A job to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewJob {
    pub(crate) id: JobId,
    pub(crate) requester: AccountId,
    pub(crate) spec: JobSpec,
    /// The same, as it is kept.
    pub(crate) json: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) retry_of: Option<JobId>,
    /// Until when the client of a monitored job must have spoken.
    pub(crate) client_until: Option<Timestamp>,
    pub(crate) tasks: Vec<NewTask>,
}

/// A task to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewTask {
    pub(crate) name: String,
    pub(crate) need_id: i64,
    pub(crate) fair_key: i64,
}

impl NewJob {
    /// Everything that has to be written.
    pub(crate) fn commit(self, actor: &Actor, now: Timestamp) -> Commit {
        let mut commit = Commit::default();
        let policy = JobPolicy::of(&self.spec);
        let blocked = !self.spec.after.is_empty();
        for new in &self.tasks {
            self.task(new, blocked, &policy, actor, now, &mut commit);
        }
        commit.rows.labels.extend(self.spec.labels.iter().map(|(key, value)| row::job_label::Model {
            label_key: key.clone(),
            label_value: value.clone(),
            job_id: self.id.0,
        }));
        commit.rows.specs.push(row::job_spec::Model {
            job_id: self.id.0,
            spec: self.json,
            warnings: to_json(&self.warnings),
        });
        commit.rows.jobs.push(row::job::Model {
            id: self.id.0,
            requester: self.requester.as_str().to_owned(),
            version: 1,
            status: JobStatus::Pending.as_str().to_owned(),
            priority: i64::from(self.spec.priority),
            policy: to_json(&policy),
            created_at: micros(now),
            started_at: None,
            ended_at: None,
            outcome: None,
            retry_of: self.retry_of.map(|id| id.0),
            monitored: i64::from(self.spec.monitor),
            follower: None,
            beat: 0,
            client_until: self.client_until.map(micros),
            purge_at: None,
            retried_by: None,
        });
        commit
    }

    fn task(&self, new: &NewTask, blocked: bool, policy: &JobPolicy, actor: &Actor, now: Timestamp, to: &mut Commit) {
        let task = Task::new(TaskId::new(), blocked);
        let queue_deadline = policy
            .queue_timeout_s
            .filter(|_| !blocked)
            .and_then(|s| i64::try_from(s).ok())
            .and_then(|s| now.saturating_add(SignedDuration::from_secs(s)).ok());
        let mut row = row::task::Model {
            id: task.id.0,
            job_id: self.id.0,
            requester: self.requester.as_str().to_owned(),
            name: new.name.clone(),
            version: 1,
            state: String::new(),
            epoch: 0,
            need_id: new.need_id,
            neg_priority: -i64::from(self.spec.priority),
            fair_key: new.fair_key,
            claim_need: None,
            claim_priority: None,
            live_priority: None,
            not_before: None,
            queue_deadline: queue_deadline.map(micros),
            worker_id: None,
            lease_until: None,
            holder_worker: None,
            holder_incarnation: None,
            holder_token: None,
            failures: 0,
            crashes: 0,
            rejections: 0,
            ran: 0,
            detail: String::new(),
            signals: "[]".to_owned(),
            created_at: micros(now),
        };
        write_task(&mut row, &task, now);
        to.rows.events.push(row::event::Model {
            id: EventId::at(now).0,
            at: micros(now),
            job_id: self.id.0,
            task_id: row.id,
            requester: row.requester.clone(),
            epoch: 0,
            from_state: None,
            to_state: row.state.clone(),
            what: "submitted".to_owned(),
            actor: actor.name.clone(),
            worker_id: None,
            request_id: actor.request_id.0,
            source: 0,
        });
        to.rows.outputs.push(row::output::Model {
            task_id: row.id,
            version: 1,
            epoch: 0,
            next_seq: 1,
            kept_bytes: 0,
            stdout_bytes: 0,
            stdout_taken: 0,
            stdout_lost: 0,
            progress: None,
            progress_at: None,
        });
        to.rows.deps.extend(self.spec.after.iter().map(|job| row::task_dep::Model { task_id: row.id, job_id: job.0 }));
        to.rows.tasks.push(row);
    }
}

impl Store {
    /// A job's row.
    pub(crate) async fn job(&self, id: JobId) -> Result<Option<JobRow>, StoreError> {
        row::job::Entity::find_by_id(id.0).one(self.reader()).await?.map(JobRow::read).transpose()
    }

    /// What was submitted, and the warnings that were given then.
    pub(crate) async fn spec(&self, id: JobId) -> Result<Option<(JobSpec, Vec<String>)>, StoreError> {
        let found = row::job_spec::Entity::find_by_id(id.0).one(self.reader()).await?;
        found.map(|row| Ok((from_json(id, &row.spec)?, from_json(id, &row.warnings)?))).transpose()
    }

    /// What was submitted, with nothing left out; `None` within when a newer version knows more of it than this one.
    pub(crate) async fn whole_spec(&self, id: JobId) -> Result<Option<Option<JobSpec>>, StoreError> {
        let found = row::job_spec::Entity::find_by_id(id.0).one(self.reader()).await?;
        let whole = |spec: &JobSpec| !spec.retry.on.iter().any(|rule| matches!(rule, RetryRule::Unknown(_)));
        Ok(found.map(|row| serde_json::from_str(&row.spec).ok().filter(whole)))
    }

    /// The specs of several jobs.
    pub(crate) async fn specs(&self, ids: &[JobId]) -> Result<HashMap<JobId, JobSpec>, StoreError> {
        let found = row::job_spec::Entity::find()
            .filter(row::job_spec::Column::JobId.is_in(row::padded(ids).into_iter().map(|id| id.0)))
            .all(self.reader())
            .await?;
        found.into_iter().map(|row| Ok((JobId(row.job_id), from_json(row.job_id, &row.spec)?))).collect()
    }

    /// The commands of several jobs; what workers are given.
    pub(crate) async fn commands(&self, ids: &[JobId]) -> Result<HashMap<JobId, Command>, StoreError> {
        let specs = self.specs(ids).await?;
        Ok(specs
            .into_iter()
            .map(|(id, spec)| (id, Command { program: spec.program, args: spec.args, cwd: spec.cwd }))
            .collect())
    }

    /// The status and requester of each of these jobs that exists.
    pub(crate) async fn standing(&self, ids: &[JobId]) -> Result<HashMap<JobId, (JobStatus, AccountId)>, StoreError> {
        let found: Vec<(uuid::Uuid, String, String)> = row::job::Entity::find()
            .select_only()
            .columns([row::job::Column::Id, row::job::Column::Status, row::job::Column::Requester])
            .filter(row::job::Column::Id.is_in(row::padded(ids).into_iter().map(|id| id.0)))
            .into_tuple()
            .all(self.reader())
            .await?;
        found.into_iter().map(|(id, status, who)| Ok((JobId(id), (word(&status)?, word(&who)?)))).collect()
    }

    /// The jobs that a task waits for.
    pub(crate) async fn dependencies(&self, task: TaskId) -> Result<Vec<JobId>, StoreError> {
        let found =
            row::task_dep::Entity::find().filter(row::task_dep::Column::TaskId.eq(task.0)).all(self.reader()).await?;
        Ok(found.into_iter().map(|dep| JobId(dep.job_id)).collect())
    }

    /// Blocked tasks that wait for a job, at most `limit`.
    pub(crate) async fn dependents(&self, job: JobId, limit: u64) -> Result<Vec<(TaskId, JobId)>, StoreError> {
        let waiting = Query::select()
            .column(row::task_dep::Column::TaskId)
            .from(row::task_dep::Entity)
            .and_where(Expr::col(row::task_dep::Column::JobId).eq(job.0))
            .to_owned();
        let filter = sea_orm::Condition::all()
            .add(row::task::Column::Id.in_subquery(waiting))
            .add(row::task::Column::State.eq("blocked"));
        self.task_ids(filter, row::task::Column::Id, limit).await
    }
}

/// The client of a monitored job has spoken.
pub(crate) fn client_beat(job: &JobRow, follower: Incarnation, beat: u64, until: Timestamp) -> Commit {
    use row::job::Column as C;
    changed(job, |change| {
        change
            .set(C::Follower, follower.0)
            .set(C::Beat, i64::try_from(beat).unwrap_or(i64::MAX))
            .set(C::ClientUntil, micros(until))
    })
}

/// An ended job is repeated by another one.
pub(crate) fn retried(job: &JobRow, by: JobId) -> Commit {
    changed(job, |change| change.set(row::job::Column::RetriedBy, by.0))
}

fn changed(job: &JobRow, how: impl FnOnce(Change) -> Change) -> Commit {
    let change = how(Change::of("jobs", row::job::Column::Id, job.id.0).next(job.version));
    Commit { guards: vec![Guard::Job(job.id, job.version)], changes: vec![change], ..Commit::default() }
}
