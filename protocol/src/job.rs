//! Jobs: what a client asks for and what it is told about them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    id::{AccountId, JobId, TaskId, WorkerId},
    log::Progress,
    state::{CancelReason, FailureClass, JobStatus, SignalKind, TaskStatus},
    template::{Arg, Variable},
};

/// What somebody asks for: one program invocation and how it is to be treated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Name of the program in the workers' configuration, such as `ffmpeg`.
    #[serde(default = "ffmpeg")]
    pub program: String,
    /// Its arguments, as path templates (see [`crate::template`]); the program's own name is not among them.
    pub args: Vec<Arg>,
    /// Working directory as a path template, such as `$Media/in`. Without one the worker makes an empty directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Arg>,
    /// Higher goes first, whoever asks; −1000 to 1000.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// Free words to find the job by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What a worker must have beyond the program and the variables in the arguments.
    #[serde(default, skip_serializing_if = "is_default")]
    pub needs: Requirements,
    /// Jobs that must complete before this one may start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<JobId>,
    /// Cancel the job when its client stops sending heartbeats.
    #[serde(default, skip_serializing_if = "is_default")]
    pub monitor: bool,
    /// Fail when no worker has accepted it after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_timeout_s: Option<u64>,
    /// Stop an attempt, as failed, after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// Length of the lease in seconds, when the coordinator's default does not suit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_s: Option<u64>,
    /// What to do about bad ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryPolicy,
    /// Run again even after standard output was delivered; standard output is then shown only once an attempt has
    /// ended well.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rerun_stdout: bool,
}

fn ffmpeg() -> String {
    "ffmpeg".to_owned()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a worker must have, proven. One distinct value of this is a need.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// Words that the worker's configuration must carry.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Encoders that were tried there and work, such as `h264_nvenc`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub encoders: BTreeSet<String>,
    /// A kind of device, such as `cuda`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A distinct set of requirements: everything that decides whether a worker can run a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct Need {
    /// The program.
    pub program: String,
    /// The path variables that occur in its arguments and working directory.
    pub variables: BTreeSet<Variable>,
    /// The rest.
    #[serde(flatten)]
    pub requirements: Requirements,
}

/// How often, and after what, a badly ended task is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Tries after the first one.
    #[serde(default = "three")]
    pub retries: u32,
    /// The ends worth another try; any one of these rules suffices.
    #[serde(default = "transient")]
    pub on: Vec<RetryRule>,
}

fn three() -> u32 {
    3
}

fn transient() -> Vec<RetryRule> {
    vec![RetryRule::Transient]
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: three(), on: transient() }
    }
}

/// One kind of end that is worth another try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RetryRule {
    /// Causes that lie in a machine's passing state ([`FailureClass::is_transient`]).
    Transient,
    /// Every bad end.
    Any,
    /// This named failure.
    Class(FailureClass),
    /// This exit code.
    ExitCode(i32),
    /// Death by this signal number.
    Signal(i32),
    /// This text somewhere in the last lines of stderr.
    LogContains(String),
}

/// Many jobs at once, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// At most 1,000.
    pub jobs: Vec<BatchItem>,
}

/// One job of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// As the `Idempotency-Key` of a single submit.
    pub idempotency_key: String,
    /// The job.
    pub job: JobSpec,
}

/// The answer to a batch: one job for each item, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// In the order of the request.
    pub jobs: Vec<Submitted>,
}

/// The answer to a submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submitted {
    /// The new job, or the one that an earlier request with the same idempotency key made.
    pub id: JobId,
    /// Where it stood when it was made.
    pub status: JobStatus,
    /// What its requester should know, such as that no known worker can run it yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

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
    /// As it was submitted.
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
    pub signal: SignalKind,
}

/// The client of a monitored job is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
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
