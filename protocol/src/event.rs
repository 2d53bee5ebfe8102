//! Recorded transitions: the audit log, and what `GET /v1/events` tells.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    id::{AccountId, EventId, JobId, RequestId, TaskId, WorkerId},
    state::TaskStatus,
};

/// One transition of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Told at least once; a repeated id is the same event.
    pub id: EventId,
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskId,
    /// Whose job it is.
    pub requester: AccountId,
    /// The attempt, 0 before the first.
    pub epoch: u32,
    /// Where it stood; absent for a new task.
    pub from: Option<TaskStatus>,
    /// Where it stands.
    pub to: TaskStatus,
    /// What happened, in a word, such as `claimed` or `lease_lapsed`.
    pub what: String,
    /// Who did it: an account, or `janitor`.
    pub actor: String,
    /// The worker that holds or held it.
    pub worker: Option<WorkerId>,
    /// The request that brought it.
    pub request_id: RequestId,
    /// When.
    pub at: Timestamp,
}
