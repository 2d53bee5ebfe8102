//! What a database tells about the past, in plain words.

use uuid::Uuid;

/// Everything the checker looks at. Moments are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Every job.
    pub jobs: Vec<Job>,
    /// Every task.
    pub tasks: Vec<Task>,
    /// Every attempt, by task and epoch.
    pub attempts: Vec<Attempt>,
    /// Every transition, in the order in which they were committed.
    pub events: Vec<Event>,
    /// What is kept of the output, by task, epoch and number.
    pub chunks: Vec<Chunk>,
    /// Every idempotency key.
    pub keys: Vec<Key>,
    /// Bytes that the coordinators keep of a log, where they were told.
    pub log_cap: Option<i64>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Its status, in the product's word.
    pub status: String,
    /// The status in its recorded outcome.
    pub outcome: Option<String>,
    /// The class of its failure in its recorded outcome.
    pub failure: Option<String>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// The job it repeats.
    pub retry_of: Option<Uuid>,
    /// Its labels, `key=value`.
    pub labels: Vec<String>,
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: Uuid,
    /// Its job.
    pub job: Uuid,
    /// Its state, in the product's word.
    pub state: String,
    /// The number of its last attempt.
    pub epoch: i64,
    /// Who holds the lease.
    pub worker: Option<String>,
    /// What the holder of the last epoch must quote.
    pub token: Option<Uuid>,
    /// The attempt whose output is being taken.
    pub output_epoch: i64,
    /// The number that the next record must have.
    pub next_seq: i64,
    /// Bytes of its log, standard output aside, that are kept.
    pub kept_bytes: i64,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The task.
    pub task: Uuid,
    /// Its number.
    pub epoch: i64,
    /// Who tried.
    pub worker: String,
    /// What its words quote.
    pub token: Uuid,
    /// When it was claimed.
    pub claimed_at: i64,
    /// When it was accepted.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// How, in the product's word.
    pub end: Option<String>,
}

/// One transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: Uuid,
    /// The task.
    pub task: Uuid,
    /// The attempt.
    pub epoch: i64,
    /// The state before.
    pub from: Option<String>,
    /// The state after.
    pub to: String,
    /// What happened, in the product's word.
    pub what: String,
    /// The worker concerned.
    pub worker: Option<String>,
    /// When.
    pub at: i64,
}

/// Records of one stream out of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The task.
    pub task: Uuid,
    /// The attempt.
    pub epoch: i64,
    /// `stdout`, `stderr` or `worker`.
    pub stream: String,
    /// The first number of the batch, over all streams.
    pub batch_first: i64,
    /// The last number of the batch.
    pub batch_last: i64,
    /// Whether lines of it were given up for the log's limit.
    pub thinned: bool,
    /// The records in it, in their order.
    pub records: Vec<Span>,
}

/// The numbers that a record stands for: one, or a declared loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
}

/// An idempotency key and the job that it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose.
    pub account: String,
    /// The key.
    pub key: String,
    /// The job.
    pub job: Uuid,
}

impl History {
    /// The job with this label; several are an error that the caller looks for.
    #[must_use]
    pub fn labelled(&self, label: &str) -> Vec<&Job> {
        self.jobs.iter().filter(|job| job.labels.iter().any(|own| own == label)).collect()
    }

    /// A job.
    #[must_use]
    pub fn job(&self, id: Uuid) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }
}
