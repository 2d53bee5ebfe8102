//! What workers say about tasks. Every report quotes the attempt's epoch and token; a worker's word counts only while
//! they are those of the lease.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{Incarnation, JobId, TaskId, Token, WorkerId},
    job::Outcome,
    log::Progress,
    state::{CancelReason, FailureClass, Phase, SignalKind, TaskStatus},
    template::Arg,
};

/// `POST /v1/claims`. Repeating a token returns the same grants, so a lost answer strands nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker: WorkerId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Fresh for each claim that is not a repetition.
    pub token: Token,
    /// How many tasks it could begin now.
    pub free_slots: u32,
    /// How long to wait for work, in seconds; at most 25.
    pub wait_s: u64,
}

/// The answer to a claim that got something; without work it is 204 and no body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClaimAnswer {
    /// The tasks, all under the token of the claim.
    pub grants: Vec<Grant>,
}

/// A task and the lease on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// The task.
    pub task: TaskId,
    /// Its job.
    pub job: JobId,
    /// The attempt's number.
    pub epoch: u32,
    /// The lease's token.
    pub token: Token,
    /// `assigned`, or what it is by now when a grant is repeated.
    pub status: TaskStatus,
    /// What to run.
    pub command: Command,
    /// Length of the lease in seconds. The worker gives up before it can have lapsed, counted from the sending of the
    /// last heartbeat that was answered.
    pub lease_s: u64,
    /// Stop the program after so many seconds.
    pub timeout_s: Option<u64>,
    /// Whether an earlier attempt reached `running`, so that what lies at the outputs may be ours.
    pub rerun: bool,
    /// The number the next record of output must have.
    pub next_seq: u64,
    /// Bytes of standard output that the attempt may deliver; beyond that the worker stops it.
    #[serde(default = "default_stdout_max")]
    pub stdout_max_bytes: u64,
}

fn default_stdout_max() -> u64 {
    crate::limits::STDOUT_BYTES
}

/// A program invocation with path variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Command {
    /// Name of the program in the worker's configuration.
    pub program: String,
    /// Arguments as path templates.
    pub args: Vec<Arg>,
    /// Working directory as a path template; none means an empty scratch directory.
    pub cwd: Option<Arg>,
}

/// `POST /v1/tasks/{id}/accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcceptRequest {
    /// The worker.
    pub worker: WorkerId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The attempt.
    pub epoch: u32,
    /// Its lease.
    pub token: Token,
}

/// `POST /v1/tasks/{id}/reject`: the worker cannot begin this task; another one may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectRequest {
    /// The worker.
    pub worker: WorkerId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The attempt.
    pub epoch: u32,
    /// Its lease.
    pub token: Token,
    /// Why, for people.
    pub reason: String,
}

/// `POST /v1/tasks/{id}/publishing`: the program has ended well and its outputs are verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishingRequest {
    /// The worker.
    pub worker: WorkerId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The attempt.
    pub epoch: u32,
    /// Its lease.
    pub token: Token,
    /// What is about to be put in place.
    pub outputs: Vec<Output>,
}

/// A file that an attempt made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Output {
    /// Where, as a path template.
    pub path: Arg,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// `POST /v1/tasks/{id}/finish`: the attempt is over. May be repeated; the first one that was taken stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FinishRequest {
    /// The worker.
    pub worker: WorkerId,
    /// Its incarnation; a later one of the same worker may report what an earlier one finished.
    pub incarnation: Incarnation,
    /// The attempt.
    pub epoch: u32,
    /// Its lease.
    pub token: Token,
    /// How it ended.
    pub exit: Exit,
    /// Why it ended badly, where the worker could tell; also set when the worker itself was the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
    /// The end in one sentence, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Number of the last record of output; 0 when there was none. Missing ones are asked for before the end is taken.
    pub last_seq: u64,
    /// The last lines of stderr, at most 8 KiB, for retry rules.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// The files it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
}

/// How an attempt's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Exit {
    /// By itself, with this code.
    Code {
        /// 0 is good.
        code: i32,
    },
    /// By a signal that was not the worker's own.
    Signal {
        /// Its number.
        signal: i32,
    },
    /// Stopped by the worker because the coordinator said so.
    Stopped,
    /// Stopped by the worker because its run timeout was over.
    TimedOut,
    /// Handed back: the worker stops before the program has ended.
    HandedBack,
    /// Never begun, or lost by the worker; or in a way that only a newer version has a word for, which says the rest in the
    /// message and the failure beside it.
    #[serde(other)]
    None,
}

/// The answer to accept, publishing and finish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskAnswer {
    /// Where the task stands now.
    pub status: TaskStatus,
    /// The number the next record of output must have.
    pub next_seq: u64,
    /// How the task ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// One lease that a heartbeat renews.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldLease {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub epoch: u32,
    /// Its token.
    pub token: Token,
    /// What the attempt is busy with.
    pub phase: Phase,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Number of the last signal that was passed on; 0 for none.
    #[serde(default)]
    pub signals_seen: u32,
}

/// What becomes of a lease that a heartbeat listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub epoch: u32,
    /// The number the next record of output must have.
    pub next_seq: u64,
    /// What to do.
    #[serde(flatten)]
    pub order: Order,
    /// Signals the attempt has not seen yet, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<NumberedSignal>,
}

/// What to do with a running attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    /// The lease is renewed; go on.
    Continue,
    /// The lease is renewed; stop the program and report its end.
    Stop {
        /// Why.
        reason: CancelReason,
    },
    /// The lease is gone; kill the program and discard what it made.
    Lost,
    /// An order of a newer version. The worker does nothing about it and does not count the lease as renewed: nobody can be
    /// wronged by that, for before the lease could lapse it stops the program and hands the task back.
    #[serde(other)]
    Unknown,
}

/// A signal that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NumberedSignal {
    /// From 1, per task.
    pub number: u32,
    /// Which way to stop.
    pub signal: SignalKind,
}
