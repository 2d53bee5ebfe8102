//! All leases that this worker holds, and a memory of those it held.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ffleet_protocol::{id::TaskId, task::HeldLease, worker::LeaseRef};
use tokio::sync::Notify;

use super::Held;

/// How many ended attempts are remembered. A heartbeat that was on its way while one ended may still tell of it.
const REMEMBERED: usize = 1000;

/// The attempts that this worker has, by task and epoch.
#[derive(Debug, Default)]
pub struct Leases {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    held: BTreeMap<(TaskId, u32), Entry>,
    ended: Vec<((TaskId, u32), Ending)>,
}

#[derive(Debug)]
struct Entry {
    held: Arc<Held>,
    slot: bool,
}

/// How an attempt left this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A coordinator knows.
    Told,
    /// It was dropped without a word.
    Dropped,
}

impl Leases {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an attempt that will run; false if it is here already.
    pub fn add(&self, held: &Arc<Held>) -> bool {
        self.insert(held, true)
    }

    /// Adds an attempt of an earlier life that is only to be reported.
    pub fn add_ended(&self, held: &Arc<Held>) -> bool {
        self.insert(held, false)
    }

    fn insert(&self, held: &Arc<Held>, slot: bool) -> bool {
        let key = (held.lease.task, held.lease.epoch);
        let mut inner = self.lock();
        if inner.held.contains_key(&key) {
            return false;
        }
        inner.held.insert(key, Entry { held: Arc::clone(held), slot });
        true
    }

    /// An attempt is over here.
    pub fn remove(&self, held: &Held, ending: Ending) {
        let key = (held.lease.task, held.lease.epoch);
        let mut inner = self.lock();
        inner.held.remove(&key);
        inner.remember(key, ending);
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Notes how an attempt that is not held ended after all.
    pub fn note(&self, task: TaskId, epoch: u32, ending: Ending) {
        self.lock().remember((task, epoch), ending);
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, task: TaskId, epoch: u32) -> Option<Arc<Held>> {
        self.lock().held.get(&(task, epoch)).map(|entry| Arc::clone(&entry.held))
    }

    /// How an attempt ended that is not here any more.
    #[must_use]
    pub fn ending(&self, task: TaskId, epoch: u32) -> Option<Ending> {
        self.lock().ended.iter().rev().find(|(key, _)| *key == (task, epoch)).map(|(_, ending)| *ending)
    }

    /// As a heartbeat lists them.
    #[must_use]
    pub fn listed(&self) -> Vec<HeldLease> {
        self.lock().held.values().map(|entry| entry.held.listed()).collect()
    }

    /// Those of earlier lives whose end is not told yet.
    #[must_use]
    pub fn unreported(&self) -> Vec<LeaseRef> {
        self.lock().held.values().filter(|entry| !entry.slot).map(|entry| entry.held.lease).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().held.len()
    }

    /// How many slots they take.
    #[must_use]
    pub fn busy(&self) -> u32 {
        let busy = self.lock().held.values().filter(|entry| entry.slot).count();
        u32::try_from(busy).unwrap_or(u32::MAX)
    }

    /// To wait for the next attempt that ends; taken before looking, it misses none.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }
}

impl Inner {
    fn remember(&mut self, key: (TaskId, u32), ending: Ending) {
        if self.ended.len() >= REMEMBERED {
            self.ended.drain(..REMEMBERED / 2);
        }
        self.ended.push((key, ending));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ffleet_protocol::id::Token;

    use super::*;
    use crate::clock::Moment;

    #[test]
    fn attempts_are_here_once_and_then_remembered() {
        let leases = Leases::default();
        let lease = LeaseRef { task: TaskId::new(), epoch: 2, token: Token::new() };
        let (held, _orders) = Held::new(lease, Duration::from_secs(28), Moment::now());
        assert!(leases.add(&held) && !leases.add(&held) && !leases.add_ended(&held));
        assert_eq!((leases.count(), leases.busy(), leases.listed().len()), (1, 1, 1));
        assert!(leases.get(lease.task, 1).is_none() && leases.get(lease.task, 2).is_some());
        leases.remove(&held, Ending::Dropped);
        assert_eq!((leases.count(), leases.busy()), (0, 0));
        assert_eq!(leases.ending(lease.task, 2), Some(Ending::Dropped));
        leases.note(lease.task, 2, Ending::Told);
        assert_eq!(leases.ending(lease.task, 2), Some(Ending::Told));
        assert_eq!(leases.unreported(), []);
        assert!(leases.add_ended(&held));
        assert_eq!((leases.count(), leases.busy(), leases.unreported()), (1, 0, vec![lease]));
    }
}
