//! Workers and what they have, remembered for a moment: answers for people need not be newer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ffleet_protocol::{
    id::{AccountId, WorkerId},
    job::Need,
};

use super::OneLook;
use crate::{
    domain::unfit,
    store::{Store, StoreError, workers::WorkerRow},
};

const FRESH: Duration = Duration::from_secs(2);

/// When they were looked at, if they still are as they were then.
type Remembered = Option<(Option<Instant>, Arc<Vec<WorkerRow>>)>;

/// Workers, as of at most two seconds ago.
#[derive(Debug, Default)]
pub(crate) struct KnownWorkers {
    rows: Mutex<Remembered>,
    /// Whose each worker is that has spoken to this coordinator.
    owners: Mutex<HashMap<WorkerId, AccountId>>,
    /// Workers as their heartbeats left them here.
    heard: Mutex<HashMap<WorkerId, WorkerRow>>,
    /// How many tasks each holds, as of a moment ago.
    busy: OneLook<BTreeMap<WorkerId, u32>>,
}

/// Owners that are remembered; beyond that they are forgotten, and learned again.
const OWNERS: usize = 10_000;

impl KnownWorkers {
    async fn get(&self, store: &Store) -> Result<Arc<Vec<WorkerRow>>, StoreError> {
        let remembered = self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((Some(at), workers)) = remembered
            && at.elapsed() < FRESH
        {
            return Ok(workers);
        }
        let workers = Arc::new(store.workers().await?);
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = Some((Some(Instant::now()), workers.clone()));
        Ok(workers)
    }

    /// A worker of this account has spoken.
    pub(crate) fn spoke(&self, worker: &WorkerRow) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if !owners.contains_key(&worker.id) {
            if owners.len() >= OWNERS {
                owners.clear();
            }
            owners.insert(worker.id.clone(), worker.account.clone());
        }
    }

    /// As its last heartbeat here left it. It may have been written elsewhere since: whatever comes of it is a commit under its
    /// version, and until then nothing may be renewed by it.
    pub(crate) fn heard(&self, id: &WorkerId) -> Option<WorkerRow> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Keeps a worker as its heartbeat has just left it.
    pub(crate) fn hear(&self, row: WorkerRow) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= OWNERS {
            heard.clear();
        }
        heard.insert(row.id.clone(), row);
    }

    /// Whether it holds tasks, as of a moment ago.
    pub(crate) async fn is_busy(&self, store: &Store, id: &WorkerId) -> Result<bool, StoreError> {
        Ok(self.busy.get(store.busy()).await?.contains_key(id))
    }

    /// Whose it is, if it has spoken here or was there when somebody last looked. It stays so, however old the look is.
    pub(crate) fn owner(&self, id: &WorkerId) -> Option<AccountId> {
        let spoke = self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        spoke.or_else(|| {
            let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            let all = rows.as_ref().map(|(_, all)| all.iter());
            all.into_iter().flatten().find(|worker| worker.id == *id).map(|worker| worker.account.clone())
        })
    }

    /// Looks who is there, so that nudges to workers can name their accounts.
    pub(crate) async fn learn(&self, store: &Store) {
        if let Err(error) = self.get(store).await {
            tracing::debug!(%error, "workers are not known yet; they are when they speak");
        }
    }

    /// What is remembered is old, because a worker has changed.
    pub(crate) fn changed(&self) {
        if let Some((at, _)) = &mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner) {
            *at = None;
        }
    }

    /// Whether this worker was of this account lately. It stays so: a worker's name is bound to one account for good.
    pub(crate) async fn belongs(&self, store: &Store, id: &WorkerId, to: &AccountId) -> Result<bool, StoreError> {
        Ok(self.get(store).await?.iter().any(|worker| worker.id == *id && worker.account == *to))
    }

    /// What the requester should know about a need: that no known worker satisfies it.
    pub(crate) async fn warning(&self, store: &Store, need: &Need) -> Result<Option<String>, StoreError> {
        let workers = self.get(store).await?;
        if workers.iter().any(|worker| unfit(need, &worker.capabilities).is_none()) {
            return Ok(None);
        }
        let why = workers
            .first()
            .and_then(|worker| Some(format!("; {}: {}", worker.id, unfit(need, &worker.capabilities)?)))
            .unwrap_or_default();
        Ok(Some(format!("no known worker can run this yet; it waits for one{why}")))
    }
}
