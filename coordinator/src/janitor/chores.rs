//! The chores.

use std::time::{Duration, Instant};

use ffleet_nudges::Nudge;
use ffleet_protocol::{
    id::{RequestId, TaskId},
    state::CancelReason,
};
use jiff::SignedDuration;

use crate::{
    app::{App, seconds},
    domain::{Event, worker::silence_limit},
    ops::{OpError, cancel, lapse, transition, unblock},
    store::{
        commit::Commit,
        tasks::{Actor, SeenJob},
    },
};

/// Something that time makes necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chore {
    /// Leases that are over, assignment timeouts among them.
    LapseLeases,
    /// Workers that were not heard of.
    SilentWorkers,
    /// Monitored jobs whose client is gone.
    AbsentClients,
    /// Tasks that waited longer for a worker than their job allows.
    QueueTimeouts,
    /// Tasks whose waiting time is over become claimable.
    Ripen,
    /// Blocked tasks whose dependencies have ended.
    Unblock,
    /// Nonces that no signature can carry any more.
    Nonces,
    /// Idempotency keys past their memory.
    IdempotencyKeys,
    /// Ended jobs past their keeping.
    Retention,
}

/// What one batch of a chore did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Batch {
    pub(super) done: u64,
    /// There may be more.
    pub(super) full: bool,
}

/// Rows of one batch. Each is one small commit, or one row of a common one.
const ROWS: u64 = 100;
/// How long an idempotency key is known.
const IDEMPOTENCY: SignedDuration = SignedDuration::from_hours(24);

impl Chore {
    /// Every chore, in the order of a round: what makes work possible comes first.
    pub const ALL: &'static [Self] = &[
        Self::Ripen,
        Self::LapseLeases,
        Self::SilentWorkers,
        Self::AbsentClients,
        Self::QueueTimeouts,
        Self::Unblock,
        Self::Nonces,
        Self::IdempotencyKeys,
        Self::Retention,
    ];

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LapseLeases => "lapse_leases",
            Self::SilentWorkers => "silent_workers",
            Self::AbsentClients => "absent_clients",
            Self::QueueTimeouts => "queue_timeouts",
            Self::Ripen => "ripen",
            Self::Unblock => "unblock",
            Self::Nonces => "nonces",
            Self::IdempotencyKeys => "idempotency_keys",
            Self::Retention => "retention",
        }
    }

    /// How often it comes round.
    pub(super) fn every(self, sweep: Duration) -> Duration {
        match self {
            Self::Ripen => sweep.min(Duration::from_secs(1)),
            Self::LapseLeases | Self::SilentWorkers | Self::AbsentClients | Self::QueueTimeouts | Self::Unblock => {
                sweep
            }
            Self::Nonces | Self::IdempotencyKeys | Self::Retention => sweep.max(Duration::from_secs(60)),
        }
    }

    /// Whether it ends what somebody could have kept by speaking, had there been anybody to speak to.
    pub(super) fn ends_leases(self) -> bool {
        match self {
            Self::LapseLeases | Self::SilentWorkers | Self::AbsentClients => true,
            Self::QueueTimeouts
            | Self::Ripen
            | Self::Unblock
            | Self::Nonces
            | Self::IdempotencyKeys
            | Self::Retention => false,
        }
    }

    /// Does one bounded batch.
    pub(super) async fn once(self, app: &App) -> Result<Batch, OpError> {
        let actor = Actor { name: "janitor".to_owned(), request_id: RequestId::new() };
        match self {
            Self::LapseLeases => lapse_leases(app, &actor).await,
            Self::SilentWorkers => silent_workers(app).await,
            Self::AbsentClients => absent_clients(app, &actor).await,
            Self::QueueTimeouts => queue_timeouts(app, &actor).await,
            Self::Ripen => ripen(app).await,
            Self::Unblock => unblocked(app, &actor).await,
            Self::Nonces => {
                let now = app.store.now().await?;
                Ok(batch(app.store.forget_nonces(now, ROWS).await?))
            }
            Self::IdempotencyKeys => {
                let before = app.store.now().await?.saturating_sub(IDEMPOTENCY);
                let before = before.unwrap_or(ffleet_protocol::Timestamp::MIN);
                Ok(batch(app.store.forget_keys(before, ROWS).await?))
            }
            Self::Retention => retention(app).await,
        }
    }
}

fn batch(done: u64) -> Batch {
    Batch { done, full: done >= ROWS }
}

/// One row that cannot be handled must not keep a chore from the rows behind it. A database that does not answer ends the
/// chore; it comes round again.
fn counted(done: Result<bool, OpError>) -> Result<u64, OpError> {
    match done {
        Ok(done) => Ok(u64::from(done)),
        Err(error @ OpError::Unavailable(_)) => Err(error),
        Err(error @ (OpError::Refused(_) | OpError::Internal(_))) => {
            tracing::error!(error = ?error, "the janitor leaves out a row that it cannot handle");
            Ok(0)
        }
    }
}

async fn lapse_leases(app: &App, actor: &Actor) -> Result<Batch, OpError> {
    let due = app.store.lapsed(app.store.now().await?, ROWS).await?;
    let mut done = 0;
    for (task, _) in &due {
        done += counted(lapse::one(app, actor, *task).await)?;
    }
    // What did not lapse was renewed or taken meanwhile; looking at it again at once would not end.
    Ok(Batch { done, full: done > 0 && due.len() as u64 >= ROWS })
}

async fn silent_workers(app: &App) -> Result<Batch, OpError> {
    let timing = &app.config.timing;
    let limit = silence_limit(Duration::from_secs(timing.heartbeat_s), Duration::from_secs(timing.worker_silent_s));
    let before = app.store.now().await?.saturating_sub(seconds(limit.as_secs()));
    let silent = app.store.silent(before.unwrap_or(ffleet_protocol::Timestamp::MIN), ROWS).await?;
    let done = silent.len() as u64;
    for worker in silent {
        counted(lapse::silent(app, worker).await.map(|()| true))?;
    }
    Ok(Batch { done, full: false })
}

async fn absent_clients(app: &App, actor: &Actor) -> Result<Batch, OpError> {
    let jobs = app.store.abandoned(app.store.now().await?, ROWS).await?;
    let full = jobs.len() as u64 >= ROWS;
    let mut done = 0;
    for job in jobs {
        let absent = |seen: &SeenJob| seen.job.client_until.is_some_and(|until| until <= seen.now);
        match cancel::stop(app, actor, job, CancelReason::ClientGone, &Commit::default(), absent).await {
            Ok(_) => done += 1,
            // Its client has spoken after all, or its outputs are being put in place: it is about to end well.
            Err(OpError::Refused(_)) => {}
            Err(error) => done += counted(Err(error))?,
        }
    }
    Ok(Batch { done, full: full && done > 0 })
}

async fn queue_timeouts(app: &App, actor: &Actor) -> Result<Batch, OpError> {
    let due = app.store.overdue(app.store.now().await?, ROWS).await?;
    let mut done = 0;
    for (task, _) in &due {
        let verdict = transition::apply(app, actor, *task, |_, _| Ok((Event::QueueTimedOut, Commit::default()))).await;
        done += counted(verdict.map(|verdict| matches!(verdict, transition::Verdict::Applied(_))))?;
    }
    Ok(Batch { done, full: done > 0 && due.len() as u64 >= ROWS })
}

async fn ripen(app: &App) -> Result<Batch, OpError> {
    let needs = app.store.ripen(app.store.now().await?, ROWS).await?;
    for need in &needs {
        app.ring(&Nudge::Queue(*need));
    }
    Ok(batch(needs.len() as u64))
}

/// Every blocked task is looked at in every round: the end of what it waits for may have come between the submit's look
/// and its commit.
async fn unblocked(app: &App, actor: &Actor) -> Result<Batch, OpError> {
    let (mut done, mut after) = (0, TaskId(uuid::Uuid::nil()));
    loop {
        let blocked = app.store.blocked(after, ROWS).await?;
        for (task, _) in &blocked {
            done += counted(unblock::one(app, actor, *task).await)?;
        }
        match blocked.last() {
            Some((last, _)) if blocked.len() as u64 >= ROWS => after = *last,
            Some(_) | None => return Ok(Batch { done, full: false }),
        }
    }
}

async fn retention(app: &App) -> Result<Batch, OpError> {
    let rows = app.retention_slice.rows();
    let jobs = app.store.expired(app.store.now().await?, rows).await?;
    if jobs.is_empty() {
        return Ok(Batch::default());
    }
    // Output first: it is the bulk, and a job whose rows are gone could not lead to it any more.
    let began = Instant::now();
    let chunks = app.store.purge_output(&jobs, rows).await?;
    if chunks < rows {
        app.store.purge(&jobs).await?;
    }
    app.retention_slice.took(began.elapsed());
    let done = jobs.len() as u64;
    Ok(if chunks < rows { Batch { done, full: done >= rows } } else { Batch { done: 0, full: true } })
}
