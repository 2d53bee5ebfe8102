//! One unit of change as data: what must still hold, and what is written then. All of it happens or nothing does.
//!
//! Because a commit is data and not a closure, the single writer of SQLite can put many of them into one transaction, and
//! a database with many writers can run the same one in a transaction of its own. There, a row that is guarded and not
//! written has to be locked or written all the same: two commits that each guard what the other writes must not both go
//! through.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ffleet_protocol::id::{AccountId, Incarnation, JobId, KeyId, RequestId, TaskId, Token, WorkerId};
use rusqlite::ToSql;
use sea_orm::{
    Value,
    sea_query::{DeleteStatement, InsertStatement},
};

use super::{
    change::Change,
    row::{self, Row},
    server::{Step, inserted},
};

/// What must hold when the commit happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Guard {
    /// The job's row is the one that was read.
    Job(JobId, i64),
    /// The task's row is the one that was read.
    Task(TaskId, i64),
    /// The task's output stands where it was read.
    Output(TaskId, i64),
    /// The worker's row is the one that was read.
    Worker(WorkerId, i64),
    /// The account's row is the one that was read.
    Account(AccountId, i64),
    /// The task is leased under this epoch and token.
    Held(TaskId, u32, Token),
    /// The worker takes work, and this is its current start.
    WorkerTakes(WorkerId, Incarnation),
    /// Nobody has used this nonce.
    FreshNonce(KeyId, String),
    /// Nobody has used this idempotency key.
    FreshIdempotency(AccountId, String),
    /// The identity belongs to this job, or to none yet.
    Identity(AccountId, String, Option<JobId>),
    /// No such worker yet.
    FreshWorker(WorkerId),
    /// No such account yet.
    FreshAccount(AccountId),
    /// No such need yet.
    FreshNeed(String),
    /// This claim has not brought that many grants yet: worker, token, number.
    FreshGrant(WorkerId, Token, i64),
}

impl Guard {
    /// What a loser is told kept changing.
    pub(crate) fn what(&self) -> Conflicting {
        match self {
            Self::Job(..) => Conflicting::Job,
            Self::Task(..) | Self::Held(..) => Conflicting::Task,
            Self::Output(..) => Conflicting::Output,
            Self::Worker(..) | Self::WorkerTakes(..) | Self::FreshWorker(_) => Conflicting::Worker,
            Self::Account(..) | Self::FreshAccount(_) => Conflicting::Account,
            Self::FreshNonce(..) => Conflicting::Nonce,
            Self::FreshIdempotency(..) => Conflicting::Idempotency,
            Self::Identity(..) => Conflicting::Identity,
            Self::FreshNeed(_) => Conflicting::Need,
            Self::FreshGrant(..) => Conflicting::Grant,
        }
    }
}

/// What stood in the way of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicting {
    /// The job.
    Job,
    /// The task.
    Task,
    /// Its output.
    Output,
    /// The worker.
    Worker,
    /// The account.
    Account,
    /// The nonce was used.
    Nonce,
    /// The idempotency key was used.
    Idempotency,
    /// The identity belongs to another job.
    Identity,
    /// The need exists.
    Need,
    /// The claim was answered.
    Grant,
}

impl std::fmt::Display for Conflicting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Job => "the job",
            Self::Task => "the task",
            Self::Output => "the task's output",
            Self::Worker => "the worker",
            Self::Account => "the account",
            Self::Nonce => "the nonce",
            Self::Idempotency => "the idempotency key",
            Self::Identity => "the identity",
            Self::Need => "the list of needs",
            Self::Grant => "the claim",
        })
    }
}

/// One unit of change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commit {
    /// All must hold, or nothing is written.
    pub(crate) guards: Vec<Guard>,
    /// Rows that exist and become others.
    pub(crate) changes: Vec<Change>,
    /// Rows that go.
    pub(crate) deletes: Vec<DeleteStatement>,
    /// Rows whose id the database gives.
    pub(crate) inserts: Vec<InsertStatement>,
    /// Rows that come.
    pub(crate) rows: Rows,
    /// Something is written that means nothing, to see whether anything can be.
    pub(crate) touch: bool,
    /// It may wait a moment for others of its kind: nobody is held up by it.
    pub(crate) unhurried: bool,
    /// What the commit finds out on the way.
    pub(crate) asks: Option<Awaited>,
}

/// Whether tasks wait for a job, answered together with the commit that ends it: nearly always none does, and asking by
/// itself would cost more than the end. A database with many writers has to be asked after the commit: one that is going on
/// at the same moment is not seen within it.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(super) job: JobId,
    answer: Arc<AtomicBool>,
}

impl Awaited {
    pub(super) fn of(job: JobId) -> Self {
        Self { job, answer: Arc::default() }
    }

    pub(super) fn found(&self, some: bool) {
        self.answer.store(some, Ordering::Relaxed);
    }

    /// The answer, once the commit is there.
    pub(crate) fn is_so(&self) -> bool {
        self.answer.load(Ordering::Relaxed)
    }
}

fn columns<R: Row>(row: &R) -> Vec<(&'static str, Value)> {
    R::COLUMNS.iter().copied().zip(row.bound()).collect()
}

macro_rules! rows {
    ($($field:ident: $module:ident),+ $(,)?) => {
        /// New rows, by table, in the order in which they are written.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct Rows { $(pub(crate) $field: Vec<row::$module::Model>),+ }

        impl Rows {
            /// Takes over another commit's rows.
            pub(crate) fn append(&mut self, other: &mut Self) {
                $(self.$field.append(&mut other.$field);)+
            }

            /// Hands each row to `write`, in the order in which they are written.
            pub(super) fn each<E>(&self, mut write: impl FnMut(&'static str, &[&dyn ToSql]) -> Result<(), E>) -> Result<(), E> {
                $(row::insert_all(&self.$field, &mut write)?;)+
                Ok(())
            }

            /// The statements that write them to a server, by table.
            pub(super) fn steps(&self) -> Vec<Step> {
                let mut steps = Vec::new();
                $(steps.append(&mut inserted(&self.$field));)+
                steps
            }

            /// The first of them: its table, and what its columns hold.
            pub(super) fn first(&self) -> Option<(&'static str, Vec<(&'static str, Value)>)> {
                $(if let Some(row) = self.$field.first() {
                    return Some((row::$module::Model::TABLE, columns(row)));
                })+
                None
            }
        }
    };
}

rows! {
    installations: installation,
    accounts: account,
    keys: account_key,
    nonces: nonce,
    idempotency: idempotency,
    workers: worker,
    jobs: job,
    specs: job_spec,
    labels: job_label,
    identities: job_identity,
    tasks: task,
    deps: task_dep,
    outputs: output,
    chunks: chunk,
    attempts: attempt,
    events: event,
}

impl Commit {
    /// Adds a nonce that must be fresh.
    pub(crate) fn use_nonce(&mut self, key_id: &KeyId, nonce: &str, request_id: RequestId, expires_at: i64) {
        self.guards.push(Guard::FreshNonce(key_id.clone(), nonce.to_owned()));
        self.rows.nonces.push(row::nonce::Model {
            key_id: key_id.as_str().to_owned(),
            nonce: nonce.to_owned(),
            request_id: request_id.0,
            expires_at,
        });
    }

    /// Adds everything of another commit to this one.
    pub(crate) fn join(&mut self, mut other: Self) {
        self.guards.append(&mut other.guards);
        self.changes.append(&mut other.changes);
        self.deletes.append(&mut other.deletes);
        self.inserts.append(&mut other.inserts);
        self.rows.append(&mut other.rows);
        self.touch |= other.touch;
        self.unhurried &= other.unhurried;
        self.asks = self.asks.take().or(other.asks);
    }

    /// How much it writes, roughly; bounds a batch.
    pub(crate) fn weight(&self) -> usize {
        1 + self.changes.len()
            + self.deletes.len()
            + self.rows.jobs.len()
            + self.rows.tasks.len()
            + self.rows.events.len()
            + self.rows.chunks.len() * 4
    }
}
