//! What a client is told about its jobs, and how it asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::JobSpec;
use crate::{
    Timestamp,
    id::{AccountId, JobId, TaskId, WorkerId},
    log::Progress,
    state::{CancelReason, FailureClass, JobStatus, SignalKind, TaskStatus},
    template::Arg,
};

/// A job as a listing shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub requester: AccountId,
    /// Where it stands.
    pub status: JobStatus,
    /// The program.
    pub program: String,
    /// Its arguments, as templates.
    pub args: Vec<Arg>,
    /// Higher goes first.
    pub priority: i32,
    /// As submitted.
    pub labels: BTreeMap<String, String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its first attempt began to run.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The newest job that repeats this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_by: Option<JobId>,
}

/// How a task or a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// `completed`, `failed` or `canceled`.
    pub status: JobStatus,
    /// The program's exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Why it failed.
    pub failure: Option<FailureClass>,
    /// Why it was canceled.
    pub canceled: Option<CancelReason>,
    /// The same for people, in one sentence.
    pub message: String,
}

/// Everything about a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// As a listing shows it.
    #[serde(flatten)]
    pub summary: JobSummary,
    /// As it was submitted, as far as this version knows it.
    #[serde(deserialize_with = "crate::tolerant::field")]
    pub spec: JobSpec,
    /// The job that this one repeats.
    pub retry_of: Option<JobId>,
    /// Its tasks.
    pub tasks: Vec<TaskView>,
    /// What its requester should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A task of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// Its name within the job.
    pub name: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// Number of the current or last attempt; 0 before the first.
    pub epoch: u32,
    /// Not to be claimed before.
    pub not_before: Option<Timestamp>,
    /// Who holds it.
    pub worker: Option<WorkerId>,
    /// Until when, unless renewed.
    pub lease_until: Option<Timestamp>,
    /// Bad finishes so far.
    pub failures: u32,
    /// Lapses so far.
    pub crashes: u32,
    /// Rejections and assignment timeouts since it last ran.
    pub rejections: u32,
    /// How far the running attempt is.
    pub progress: Option<Progress>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Every try, the first one first.
    pub attempts: Vec<AttemptView>,
}

/// One try at a task by one worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Its number.
    pub epoch: u32,
    /// Who tried.
    pub worker: WorkerId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When the worker accepted it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// `completed`, `failed`, `canceled`, `rejected` or `lapsed`; absent while it goes on.
    pub end: Option<AttemptEnd>,
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Why it did not end well.
    pub failure: Option<FailureClass>,
    /// The worker's words about the end.
    pub message: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Well.
    Completed,
    /// Badly.
    Failed,
    /// On request.
    Canceled,
    /// The worker would not or could not begin, or did not answer in time.
    Rejected,
    /// The worker was not heard of any more.
    Lapsed,
    /// In a way that only a newer version has a word for.
    #[serde(other)]
    Unknown,
}

/// What a listing is to contain: the query of `GET /v1/jobs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobFilter {
    /// Only these; several are separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only this account's (for admins and `sees_all`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<AccountId>,
    /// Only those with this label, as `key=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Only those that another job repeats, or only those that none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<bool>,
    /// Only those made at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only ids that begin so; what a shortened id is completed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// From the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows of one page; 50 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// One page of a listing, the newest job first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobSummary>,
    /// Where the next page begins; absent at the end.
    pub next_cursor: Option<String>,
}

/// The answer to a cancel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Canceled {
    /// The job.
    pub id: JobId,
    /// Where it stands now; `canceling` until its worker has confirmed.
    pub status: JobStatus,
}

/// Asks a running program to stop in its own way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// Which way.
    #[serde(deserialize_with = "crate::state::known")]
    pub signal: SignalKind,
}

/// The client of a monitored job is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientHeartbeat {
    /// Grows with every heartbeat of this follower; a repeated or older one counts for nothing.
    pub beat: u64,
    /// Which follower; a new one takes the job over.
    pub follower: crate::id::Incarnation,
}

/// Why a job does not run yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The job.
    pub id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// Each task that has not ended.
    pub tasks: Vec<TaskExplanation>,
}

/// Why a task does not run yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskExplanation {
    /// The task.
    pub id: TaskId,
    /// Where it stands.
    pub status: TaskStatus,
    /// The answer in one sentence.
    pub summary: String,
    /// That no worker ever heard of can run it as it is, and why; absent when one could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// How many claimable tasks go before it, when it is claimable.
    pub ahead: Option<u64>,
    /// For each known worker the first reason why it does not take the task; none means that it may.
    pub workers: Vec<WorkerReason>,
}

/// One worker's first reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerReason {
    /// The worker.
    pub worker: WorkerId,
    /// The first reason why not, for people.
    pub reason: Option<String>,
}
