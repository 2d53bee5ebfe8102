//! Fair turns, decided at submit.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ffleet_protocol::id::AccountId;

use crate::{
    domain::fair_key,
    store::{Store, StoreError, claim::Queue},
};

/// Requesters remembered; beyond that all are read from the store again.
const REMEMBERED: usize = 10_000;
/// For so long a queue is believed to stand where it stood. Whoever submits thousands of jobs one by one would else read it
/// for each; a turn that is a few milliseconds too early or too late is nobody's loss.
const FRESH: Duration = Duration::from_millis(20);

/// The last turn given to each requester in each priority. The store knows as much, a moment later: without this memory,
/// submits that are decided at the same time would all get the same turn.
#[derive(Debug, Default)]
pub(crate) struct FairTurns(Mutex<HashMap<(AccountId, i32), Turns>>);

#[derive(Debug)]
struct Turns {
    last: i64,
    read_at: Instant,
    queue: Queue,
}

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
        let key = (who.clone(), priority);
        let is_fresh = |turns: &&Turns| turns.read_at.elapsed() < FRESH;
        let known = self.all().get(&key).filter(is_fresh).is_some();
        let read = if known { None } else { Some((Instant::now(), store.queue(who, priority).await?)) };
        let mut all = self.all();
        if all.len() > REMEMBERED {
            all.clear();
        }
        let (read_at, queue) = read.unwrap_or_else(|| (Instant::now(), Queue::default()));
        let turns = all.entry(key).or_insert(Turns { last: i64::MIN, read_at, queue });
        if !known {
            (turns.read_at, turns.queue) = (read_at, queue);
        }
        Ok(turns.take(weight, n))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(AccountId, i32), Turns>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn take(&mut self, weight: u32, n: usize) -> Vec<i64> {
        // Where service stands: at the head of the queue, unless that waits for a worker that does not come while others
        // are served.
        let lowest = self.queue.lowest.max(self.queue.served);
        // Without anything unfinished, nothing is owed by the past: the memory only counts while its tasks may still be on
        // their way into the store, which is when it is ahead of a queue that is not empty.
        let mut highest = match (self.queue.own, self.last) {
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
            self.last = turn;
            // What is on its way counts as there until the queue is read again.
            self.queue.own = Some(turn);
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(queue: Queue, last: i64) -> Turns {
        Turns { last, read_at: Instant::now(), queue }
    }

    #[test]
    fn turns_of_one_requester_follow_each_other_although_the_queue_is_not_read_again() {
        let mut turns = turns(Queue::default(), i64::MIN);
        let mut all = turns.take(1, 3);
        all.extend(turns.take(1, 2));
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    }

    #[test]
    fn the_past_counts_only_while_its_tasks_may_be_on_their_way() {
        let fresh = turns(Queue::default(), i64::MIN).take(1, 1);
        let after_all_has_ended = turns(Queue::default(), 1_000_000_000).take(1, 1);
        assert_eq!(fresh, after_all_has_ended);
        let behind = Queue { lowest: Some(5), ..Queue::default() };
        assert!(turns(behind, 1_000_000_000).take(1, 1)[0] > 1_000_000_000);
    }
}
