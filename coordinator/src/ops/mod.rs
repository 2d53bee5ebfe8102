//! What can be done, one verb a file. Each loads, decides, commits and announces; none knows how a request looked.

pub mod accounts;
pub mod cancel;
pub mod claim;
mod error;
pub mod events;
pub mod explain;
mod fair;
pub mod follow;
pub mod heartbeat;
pub mod janitor;
pub mod jobs;
mod known;
pub(crate) mod lapse;
pub mod log;
pub mod monitor;
mod one_look;
pub mod overview;
mod prune;
pub mod report;
pub mod retry;
mod shared;
pub mod signal;
pub mod status;
pub mod submit;
mod taking;
pub(crate) mod transition;
pub(crate) mod unblock;
pub mod watch;
pub mod workers;

use ffleet_protocol::{
    id::{AccountId, KeyId, RequestId},
    problem::Code,
    state::Role,
};

pub use error::{OpError, Refused};
pub(crate) use fair::FairTurns;
pub(crate) use known::KnownWorkers;
pub(crate) use one_look::OneLook;
pub(crate) use shared::Followed;
pub(crate) use taking::Taking;

use crate::store::{commit::Commit, tasks::Actor};

/// Who asks, proven by a signature.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// What it may do.
    pub role: Role,
    /// Whether it reads everybody's jobs.
    pub sees_all: bool,
    /// Whether it may name files outside path variables.
    pub raw_paths: bool,
    /// Its share of the turns.
    pub weight: u32,
    /// This request.
    pub request_id: RequestId,
    /// The signature's nonce, on requests that change something.
    pub nonce: Option<UsedNonce>,
}

/// A nonce that came with a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedNonce {
    /// The key that signed.
    pub key_id: KeyId,
    /// The nonce.
    pub nonce: String,
    /// The signature's own time, in seconds since 1970.
    pub created: i64,
}

/// An idempotency key and what it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// A hash of method, path and body.
    pub body_hash: [u8; 32],
}

impl Caller {
    /// Whether this caller may read what belongs to `owner`.
    #[must_use]
    pub fn sees(&self, owner: &AccountId) -> bool {
        self.role == Role::Admin || self.account == *owner || (self.role == Role::Client && self.sees_all)
    }

    /// Whose jobs this caller reads: one account's, or everybody's.
    #[must_use]
    pub fn only(&self) -> Option<&AccountId> {
        let all = self.role == Role::Admin || (self.role == Role::Client && self.sees_all);
        (!all).then_some(&self.account)
    }

    /// Whether this caller may change what belongs to `owner`.
    #[must_use]
    pub fn acts_for(&self, owner: &AccountId) -> bool {
        self.role == Role::Admin || self.account == *owner
    }

    /// For the audit log.
    pub(crate) fn actor(&self) -> Actor {
        Actor { name: self.account.as_str().to_owned(), request_id: self.request_id }
    }

    /// What makes a repetition of this request by a stranger fail: its nonce, stored with the effect.
    pub(crate) fn once(&self) -> Commit {
        let mut commit = Commit::default();
        if let Some(used) = &self.nonce {
            // After the window no signature of that time is taken any more, so the nonce need not be known.
            let window = ffleet_protocol::sign::WINDOW_PAST_S + ffleet_protocol::sign::WINDOW_FUTURE_S + 60;
            let expires_at = (used.created + window).saturating_mul(1_000_000);
            commit.use_nonce(&used.key_id, &used.nonce, self.request_id, expires_at);
        }
        commit
    }
}

/// What a replayed request is told.
pub(crate) fn replayed() -> OpError {
    OpError::refused(Code::Replayed, "this signed request was taken before; sign a new one with a fresh nonce")
}

pub(crate) fn no_such_job() -> OpError {
    OpError::refused(Code::NoSuchJob, "there is no such job, or it is not yours; `ffleet job list` shows yours")
}

pub(crate) fn no_such_task() -> OpError {
    OpError::refused(Code::NoSuchTask, "there is no such task, or it was never given to you")
}
