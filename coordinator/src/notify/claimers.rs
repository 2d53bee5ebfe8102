//! Claims that wait for work. A new task wakes one of them that can take it, not all.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use ffleet_protocol::job::Need;
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
    /// The needs that it has looked at, by id. Whether it can take others it has to look. `None`: it takes nothing.
    known: Option<Arc<Vec<(i64, Need)>>>,
    /// The need it was woken for and has not looked at yet.
    woken: Option<i64>,
    notify: Arc<Notify>,
}

impl Claimers {
    pub(super) fn add(&mut self, needs: Vec<i64>, known: Option<Arc<Vec<(i64, Need)>>>) -> (u64, Arc<Notify>) {
        self.next += 1;
        let notify = Arc::new(Notify::new());
        self.waiting.push_back(Claimer {
            id: self.next,
            needs: needs.into_iter().collect(),
            known,
            woken: None,
            notify: notify.clone(),
        });
        (self.next, notify)
    }

    pub(super) fn wake(&mut self, need: i64) {
        let is_new = |known: &Arc<Vec<(i64, Need)>>| known.binary_search_by_key(&need, |(id, _)| *id).is_err();
        let fits = |claimer: &&mut Claimer| {
            claimer.woken.is_none() && (claimer.needs.contains(&need) || claimer.known.as_ref().is_some_and(is_new))
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

    fn knowing(ids: &[i64]) -> Option<Arc<Vec<(i64, Need)>>> {
        let need: Need = serde_json::from_str(r#"{"program": "ffmpeg", "variables": []}"#).unwrap();
        Some(Arc::new(ids.iter().map(|id| (*id, need.clone())).collect()))
    }

    fn is_woken(bells: &Bells, id: u64) -> bool {
        bells.with_claimers(|all| all.waiting.iter().any(|claimer| claimer.id == id && claimer.woken.is_some()))
    }

    #[test]
    fn a_task_wakes_one_claim_that_can_take_it() {
        let bells = Bells::default();
        let other = bells.wait_for_work(vec![1], knowing(&[1, 2, 3]));
        let first = bells.wait_for_work(vec![2, 3], knowing(&[1, 2, 3]));
        let second = bells.wait_for_work(vec![2], knowing(&[1, 2, 3]));
        bells.ring(&Topic::Queue(2));
        assert!(!is_woken(&bells, other.id) && is_woken(&bells, first.id) && !is_woken(&bells, second.id));
        bells.ring(&Topic::Queue(2));
        assert!(is_woken(&bells, second.id), "the second task goes to the second claim");
    }

    #[test]
    fn a_new_need_wakes_who_has_not_seen_it() {
        let bells = Bells::default();
        let nothing = bells.wait_for_work(vec![], None);
        let claim = bells.wait_for_work(vec![], knowing(&[1, 4, 7]));
        bells.ring(&Topic::Queue(4));
        assert!(!is_woken(&bells, claim.id), "it has seen that one");
        // Each node of a cluster gives ids of its own.
        bells.ring(&Topic::Queue(5));
        assert!(is_woken(&bells, claim.id) && !is_woken(&bells, nothing.id));
    }

    #[test]
    fn a_claim_that_goes_away_hands_its_wake_on() {
        let bells = Bells::default();
        let gone = bells.wait_for_work(vec![1], knowing(&[1]));
        let next = bells.wait_for_work(vec![1], knowing(&[1]));
        bells.ring(&Topic::Queue(1));
        drop(gone);
        assert!(is_woken(&bells, next.id));
    }
}
