//! What a live view shows: what runs, what comes next and what has just ended. Every part has its limit, so that one look
//! costs the same whatever has piled up before and behind it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    id::{AccountId, JobId, TaskId, WorkerId},
    job::Outcome,
    log::Progress,
    state::{JobStatus, TaskStatus, WorkerState},
};

/// The query of `GET /v1/overview`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverviewQuery {
    /// Rows of each list, 1 to 500; 50 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// The answer to `GET /v1/overview`: one look at the fleet. Clients see their own jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// When the look was taken, by the store's clock.
    pub at: Timestamp,
    /// Every worker, by name.
    pub workers: Vec<WorkerBrief>,
    /// How many tasks workers hold.
    pub held: u64,
    /// The first of them, the oldest job first.
    pub running: Vec<RunningTask>,
    /// How many tasks wait.
    pub waiting: Tally,
    /// The first of them, in the order in which they are due; those that cannot be claimed yet come last.
    pub next: Vec<WaitingTask>,
    /// Jobs that have ended, the latest end first.
    pub ended: Vec<EndedJob>,
}

/// A count that stops somewhere, because counting on would take the longer the more there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// So many were counted.
    pub count: u64,
    /// Whether there are more.
    pub more: bool,
}

/// A worker, without all that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerBrief {
    /// Its name.
    pub id: WorkerId,
    /// Where it stands.
    pub state: WorkerState,
    /// Tasks it runs at once.
    pub slots: u32,
    /// Tasks it holds now, whoever asked for them.
    pub busy: u32,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

/// What every list says about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobBrief {
    /// The job.
    pub job: JobId,
    /// Whose it is.
    pub requester: AccountId,
    /// Higher goes first.
    pub priority: i32,
    /// Program and arguments for people, cut when they are long.
    pub command: String,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// A task that a worker holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunningTask {
    /// Its job.
    #[serde(flatten)]
    pub brief: JobBrief,
    /// The task.
    pub task: TaskId,
    /// Where it stands.
    pub status: TaskStatus,
    /// Who holds it.
    pub worker: WorkerId,
    /// The attempt's number.
    pub epoch: u32,
    /// When the worker took it.
    pub claimed_at: Timestamp,
    /// How far it is.
    pub progress: Option<Progress>,
}

/// A task that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingTask {
    /// Its job.
    #[serde(flatten)]
    pub brief: JobBrief,
    /// The task.
    pub task: TaskId,
    /// `pending`; `blocked` while it waits for other jobs.
    pub status: TaskStatus,
    /// Not to be claimed before, after a try that came to nothing.
    pub not_before: Option<Timestamp>,
    /// Number of the last attempt; 0 before the first.
    pub epoch: u32,
}

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndedJob {
    /// The job.
    #[serde(flatten)]
    pub brief: JobBrief,
    /// How.
    pub status: JobStatus,
    /// When its first attempt began to run.
    pub started_at: Option<Timestamp>,
    /// When.
    pub ended_at: Timestamp,
    /// How, in full.
    pub outcome: Outcome,
}
