//! Claims that wait for work. A new task wakes one of them that can take it, not all.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use tokio::sync::Notify;

use super::Bells;

/// Claims that wait, the longest-waiting first.
#[derive(Debug, Default)]
pub(super) struct Claimers {
    next: u64,
    waiting: VecDeque<Claimer>,
}

#[derive(Debug)]
struct Claimer {
    id: u64,
    needs: HashSet<i64>,
    /// Needs after this one are unknown to it: it has to look whether it can take them.
    newest: i64,
    /// The need it was woken for and has not looked at yet.
    woken: Option<i64>,
    notify: Arc<Notify>,
}

impl Claimers {
    pub(super) fn add(&mut self, needs: Vec<i64>, newest: i64) -> (u64, Arc<Notify>) {
        self.next += 1;
        let notify = Arc::new(Notify::new());
        self.waiting.push_back(Claimer {
            id: self.next,
            needs: needs.into_iter().collect(),
            newest,
            woken: None,
            notify: notify.clone(),
        });
        (self.next, notify)
    }

    pub(super) fn wake(&mut self, need: i64) {
        let fits = |claimer: &&mut Claimer| {
            claimer.woken.is_none() && (claimer.needs.contains(&need) || need > claimer.newest)
        };
        if let Some(claimer) = self.waiting.iter_mut().find(fits) {
            claimer.woken = Some(need);
            claimer.notify.notify_one();
        }
    }

    pub(super) fn wake_all(&mut self) {
        self.waiting.iter().for_each(|claimer| claimer.notify.notify_one());
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a claim out; whatever it was woken for and did not look at goes to the next one.
    fn remove(&mut self, id: u64, looked: bool) {
        let Some(at) = self.waiting.iter().position(|claimer| claimer.id == id) else { return };
        let Some(gone) = self.waiting.remove(at) else { return };
        if let (Some(need), false) = (gone.woken, looked) {
            self.wake(need);
        }
    }
}

/// A claim that waits, until dropped.
#[derive(Debug)]
pub struct Waiting {
    bells: Bells,
    id: u64,
    notify: Arc<Notify>,
    looked: bool,
}

impl Waiting {
    pub(super) fn new(bells: Bells, id: u64, notify: Arc<Notify>) -> Self {
        Self { bells, id, notify, looked: false }
    }

    /// Waits until there may be work.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Says that whoever waited is about to look; until then a wake is handed on when the wait is given up.
    pub fn looks(mut self) {
        self.looked = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (id, looked) = (self.id, self.looked);
        self.bells.with_claimers(|claimers| claimers.remove(id, looked));
    }
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::topic::Topic;

    use super::*;

    fn is_woken(bells: &Bells, id: u64) -> bool {
        bells.with_claimers(|all| all.waiting.iter().any(|claimer| claimer.id == id && claimer.woken.is_some()))
    }

    #[test]
    fn a_task_wakes_one_claim_that_can_take_it() {
        let bells = Bells::default();
        let other = bells.wait_for_work(vec![1], 3);
        let first = bells.wait_for_work(vec![2, 3], 3);
        let second = bells.wait_for_work(vec![2], 3);
        bells.ring(&Topic::Queue(2));
        assert!(!is_woken(&bells, other.id) && is_woken(&bells, first.id) && !is_woken(&bells, second.id));
        bells.ring(&Topic::Queue(2));
        assert!(is_woken(&bells, second.id), "the second task goes to the second claim");
    }

    #[test]
    fn a_new_need_wakes_who_has_not_seen_it() {
        let bells = Bells::default();
        let claim = bells.wait_for_work(vec![], 3);
        bells.ring(&Topic::Queue(4));
        assert!(is_woken(&bells, claim.id));
    }

    #[test]
    fn a_claim_that_goes_away_hands_its_wake_on() {
        let bells = Bells::default();
        let gone = bells.wait_for_work(vec![1], 1);
        let next = bells.wait_for_work(vec![1], 1);
        bells.ring(&Topic::Queue(1));
        drop(gone);
        assert!(is_woken(&bells, next.id));
    }
}
