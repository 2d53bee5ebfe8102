//! Fair turns, decided at submit.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ffleet_protocol::id::AccountId;

use crate::{
    domain::fair_key,
    store::{Store, StoreError},
};

/// Requesters remembered; beyond that all are read from the store again.
const REMEMBERED: usize = 10_000;

/// The last turn given to each requester in each priority. The store knows as much, a moment later: without this memory,
/// submits that are decided at the same time would all get the same turn.
#[derive(Debug, Default)]
pub(crate) struct FairTurns(Mutex<HashMap<(AccountId, i32), i64>>);

impl FairTurns {
    /// The turns of `n` new tasks.
    pub(crate) async fn take(
        &self,
        store: &Store,
        who: &AccountId,
        priority: i32,
        weight: u32,
        n: usize,
    ) -> Result<Vec<i64>, StoreError> {
        // Where service stands: at the head of the queue, unless that waits for a worker that does not come while others
        // are served.
        let lowest = store.lowest_claimable(priority).await?.max(store.highest_leased(priority).await?);
        let highest = store.highest_unfinished(who, priority).await?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() > REMEMBERED {
            last.clear();
        }
        let own = last.entry((who.clone(), priority)).or_insert(i64::MIN);
        // Without anything unfinished, nothing is owed by the past: the memory only counts while its tasks may still be on
        // their way into the store, which is when it is ahead of a queue that is not empty.
        let mut highest = match (highest, *own) {
            (Some(stored), remembered) => Some(stored.max(remembered)),
            (None, i64::MIN) => None,
            (None, remembered) => lowest.filter(|lowest| *lowest <= remembered).map(|_| remembered),
        };
        let mut turns = Vec::with_capacity(n);
        for _ in 0..n {
            let turn = fair_key(lowest, highest, weight);
            highest = Some(turn);
            turns.push(turn);
        }
        if let Some(turn) = highest {
            *own = turn;
        }
        Ok(turns)
    }
}
