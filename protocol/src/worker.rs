//! Workers: what they say of themselves and what they are told.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    id::{AccountId, Incarnation, TaskId, Token, WorkerId},
    state::{Carrier, WorkerState},
    task::{Grant, HeldLease, Verdict},
    template::Variable,
};

/// `PUT /v1/workers/{id}`: what this worker has, proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registration {
    /// This start of the process. A new one supersedes the one before.
    pub incarnation: Incarnation,
    /// [`crate::PROTOCOL_VERSION`] of the worker.
    pub protocol: u32,
    /// Of the worker program.
    pub version: String,
    /// What was proven.
    #[serde(flatten)]
    pub capabilities: Capabilities,
    /// Attempts of earlier incarnations that have ended and whose end is not reported yet; their leases stay.
    #[serde(default)]
    pub unreported: Vec<LeaseRef>,
}

/// What a worker has, proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capabilities {
    /// Tasks it runs at once.
    pub slots: u32,
    /// Programs that were started and answered, by name.
    #[serde(deserialize_with = "crate::unique::map")]
    pub programs: BTreeMap<String, Program>,
    /// Path variables whose directories are there.
    #[serde(deserialize_with = "crate::unique::map")]
    pub variables: BTreeMap<Variable, Mount>,
    /// Words from its configuration.
    pub tags: BTreeSet<String>,
    /// Encoders that were tried and work.
    #[serde(default)]
    pub encoders: BTreeSet<String>,
    /// Kinds of devices that work.
    #[serde(default)]
    pub devices: BTreeSet<String>,
    /// What was configured and did not work, and why; for people.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// A program that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Program {
    /// Its own words about its version, one line.
    pub version: String,
}

/// A path variable that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mount {
    /// Whether files can be made there.
    pub writable: bool,
    /// Bytes free when it was looked at.
    pub free_bytes: Option<u64>,
}

/// The lease of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct LeaseRef {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub epoch: u32,
    /// Its token.
    pub token: Token,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// Where the worker stands; `paused` survives a restart.
    pub state: WorkerState,
    /// Seconds between heartbeats.
    pub heartbeat_s: u64,
    /// Length of a lease in seconds, unless a job says otherwise.
    pub lease_s: u64,
    /// The worker stops a task when so much of its lease has passed without an answer: parts of 1,000 of the lease.
    pub give_up_permille: u32,
    /// How many distinct needs it satisfies; 0 means that no job so far could run there.
    pub satisfies: u32,
    /// [`crate::PROTOCOL_VERSION`] of the coordinator.
    #[serde(default = "crate::version::first")]
    pub protocol: u32,
    /// The account that the worker belongs to. Its nudges carry that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

/// `POST /v1/workers/{id}/heartbeat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatRequest {
    /// This start of the process.
    pub incarnation: Incarnation,
    /// Grows with each heartbeat; an older or repeated one renews nothing.
    pub beat: u64,
    /// The leases to renew, and no others.
    pub leases: Vec<HeldLease>,
    /// Whether the worker is leaving on its own account and wants no new work.
    #[serde(default)]
    pub draining: bool,
    /// How the worker hears that it should look; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hearing: Option<Hearing>,
}

/// How a worker hears that it should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hearing {
    /// What brings its nudges now.
    pub by: Carrier,
    /// What is configured and does not bring any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// A broker that a worker does not hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// Which kind.
    pub carrier: Carrier,
    /// Since when, by the worker's clock.
    pub since: Timestamp,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// Where the coordinators see this worker. `draining` asks it to finish what runs and leave.
    pub state: WorkerState,
    /// One for each lease that was listed.
    pub verdicts: Vec<Verdict>,
    /// Leases of this incarnation that were not listed: take them on or reject them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_to_you: Vec<Grant>,
    /// Seconds between heartbeats.
    pub heartbeat_s: u64,
}

/// A worker as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerView {
    /// Its name.
    pub id: WorkerId,
    /// The account it belongs to.
    pub account: AccountId,
    /// Where it stands.
    pub state: WorkerState,
    /// Of the worker program.
    pub version: String,
    /// What it has.
    #[serde(flatten)]
    pub capabilities: Capabilities,
    /// Tasks it holds now.
    pub busy: u32,
    /// How it hears that it should look, in its own words; absent before it has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hearing: Option<Hearing>,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

/// `GET /v1/workers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerList {
    /// By name.
    pub workers: Vec<WorkerView>,
}

/// `GET /v1/status`: the whole at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FleetStatus {
    /// Jobs that have not ended, by status, and those that ended within the last 24 hours.
    pub jobs: BTreeMap<String, u64>,
    /// Workers by state.
    pub workers: BTreeMap<String, u64>,
    /// Slots of online workers.
    pub slots: u64,
    /// Slots in use.
    pub busy: u64,
    /// Version of the coordinator that answered.
    pub version: String,
}
