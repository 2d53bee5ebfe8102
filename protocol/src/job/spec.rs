//! What a client asks for, and what it is told at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::JobId,
    state::{FailureClass, JobStatus},
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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "crate::unique::map")]
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
    /// What this job is to its requester, such as a hash of what is read, done and written: 1 to 128 visible ASCII
    /// characters. While a job with the same identity is kept, a submit answers with that one and makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
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
    Class(#[serde(deserialize_with = "crate::state::known")] FailureClass),
    /// This exit code.
    ExitCode(i32),
    /// Death by this signal number.
    Signal(i32),
    /// This text somewhere in the last lines of stderr.
    LogContains(String),
    /// A rule of a newer version, kept as it was written. Nothing is tried again for it, and whoever submits one here is told.
    #[serde(untagged)]
    #[schema(value_type = Object)]
    Unknown(serde_json::Value),
}

/// Many jobs at once, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// At most 1,000.
    pub jobs: Vec<BatchItem>,
    /// Make new jobs even where there is one with the same identity; the identity is the new job's from then on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub again: bool,
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
    /// The new job, the one that an earlier request with the same idempotency key made, or the one of the same identity.
    pub id: JobId,
    /// Where it stood when it was made; of one that was there already, where it stands now.
    pub status: JobStatus,
    /// Whether it was there already, under the same identity, so that none was made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub existing: bool,
    /// What its requester should know, such as that no known worker can run it yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
