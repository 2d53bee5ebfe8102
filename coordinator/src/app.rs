//! What every request and every chore has at hand.

use std::{
    collections::HashSet,
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use ffleet_nudges::{Brokers, Nudge};
use ffleet_protocol::Timestamp;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{AccountCache, Keyring},
    config::Config,
    domain::{Defaults, Policy},
    janitor::{Patience, Slice},
    notify::Bells,
    ops::{FairTurns, Followed, KnownWorkers, OneLook, Taking},
    plan::Rules,
    store::{
        Store,
        jobs::{JobPolicy, Retention},
        needs::Needs,
    },
};

/// One coordinator. Nothing in here is needed by any other: what matters is in the store.
#[derive(Debug)]
pub struct App {
    /// As configured.
    pub config: Config,
    /// What is true.
    pub store: Store,
    /// Who waits.
    pub bells: Bells,
    /// Those who wait elsewhere, as far as brokers reach them.
    pub brokers: OnceLock<Brokers>,
    /// What the keys of accounts are sealed with.
    pub keyring: Keyring,
    /// Accounts and keys, remembered for a few seconds.
    pub accounts: AccountCache,
    /// Canceled when this coordinator is about to leave: it is no longer ready, and long polls are answered.
    pub leaving: CancellationToken,
    pub(crate) needs: Needs,
    pub(crate) workers: KnownWorkers,
    pub(crate) turns: FairTurns,
    pub(crate) taking: Taking,
    pub(crate) wanted: OneLook<HashSet<i64>>,
    pub(crate) followed: Followed,
    started: Instant,
    janitor: AtomicI64,
    pub(crate) patience: Patience,
    pub(crate) retention_slice: Slice,
}

impl App {
    /// Puts a coordinator together.
    #[must_use]
    pub fn new(config: Config, store: Store, keyring: Keyring) -> Self {
        Self {
            patience: Patience::new(config.timing.lease_s),
            retention_slice: Slice::default(),
            config,
            store,
            bells: Bells::default(),
            brokers: OnceLock::new(),
            accounts: AccountCache::new(keyring.clone()),
            keyring,
            leaving: CancellationToken::new(),
            needs: Needs::default(),
            workers: KnownWorkers::default(),
            turns: FairTurns::default(),
            taking: Taking::default(),
            wanted: OneLook::default(),
            followed: Followed::default(),
            started: Instant::now(),
            janitor: AtomicI64::new(0),
        }
    }

    /// What the configuration says where a job does not.
    pub(crate) fn defaults(&self) -> Defaults {
        Defaults {
            lease_s: self.config.timing.lease_s,
            assignment_timeout_s: self.config.timing.assignment_s,
            crash_limit: self.config.limits.crash_limit,
            reject_limit: self.config.limits.reject_limit,
        }
    }

    /// Tells everybody who waits for this that there is a reason to look, here and elsewhere.
    pub(crate) fn ring(&self, nudge: &Nudge) {
        self.bells.ring(&nudge.topic());
        if let Some(brokers) = self.brokers.get() {
            brokers.ring(nudge);
        }
    }

    /// The rules for the tasks of a job.
    pub(crate) fn policy(&self, job: &JobPolicy) -> Policy {
        let defaults = self.defaults();
        Policy {
            retry: job.retry.clone(),
            rerun_stdout: job.rerun_stdout,
            lease_s: job.lease_s.unwrap_or(defaults.lease_s),
            assignment_timeout_s: defaults.assignment_timeout_s,
            crash_limit: defaults.crash_limit,
            reject_limit: defaults.reject_limit,
        }
    }

    /// What a spec may name.
    pub(crate) fn rules(&self, raw_paths: bool) -> Rules {
        let limits = &self.config.limits;
        Rules { programs: limits.programs.clone(), variables: limits.variables.clone(), raw_paths }
    }

    /// How long ended jobs are kept.
    pub(crate) fn retention(&self) -> Retention {
        let days = |n: u32| SignedDuration::from_hours(i64::from(n) * 24);
        Retention {
            finished: days(self.config.retention.finished_days),
            failed: days(self.config.retention.failed_days),
        }
    }

    /// Until when the client of a monitored job must speak again.
    pub(crate) fn client_until(&self, now: Timestamp) -> Timestamp {
        crate::domain::policy::later(now, seconds(self.config.timing.client_gone_s))
    }

    /// The janitor has been round.
    pub(crate) fn janitor_was_here(&self) {
        self.janitor.store(self.age_s(), Ordering::Relaxed);
    }

    /// Whether the janitor was round lately.
    #[must_use]
    pub fn janitor_alive(&self) -> bool {
        let patience = Duration::from_secs(self.config.timing.sweep_s * 6 + 30);
        let silent = self.age_s() - self.janitor.load(Ordering::Relaxed);
        u64::try_from(silent).unwrap_or(0) <= patience.as_secs()
    }

    fn age_s(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX)
    }
}

/// Seconds of the configuration as a duration.
pub(crate) fn seconds(n: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(n).unwrap_or(i64::MAX))
}
