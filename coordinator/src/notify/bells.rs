//! Waiters in this process, by topic.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use ffleet_protocol::{id::JobId, job::Need, topic::Topic};
use tokio::sync::Notify;

use super::claimers::{Claimers, Waiting};

/// Topics remembered for `watch` cursors; beyond that the oldest without listeners are forgotten, and a cursor from
/// before counts as having news.
const REMEMBERED: usize = 20_000;

/// All bells of this coordinator.
#[derive(Debug, Clone, Default)]
pub struct Bells(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Cursors of another start of the process mean nothing here.
    boot: u64,
    /// Grows with every ring.
    rings: u64,
    /// Rings up to here may be forgotten.
    forgotten: u64,
    topics: HashMap<Topic, Bell>,
    claimers: Claimers,
}

impl Default for State {
    fn default() -> Self {
        Self { boot: rand::random(), rings: 0, forgotten: 0, topics: HashMap::new(), claimers: Claimers::default() }
    }
}

#[derive(Debug, Default)]
struct Bell {
    last: u64,
    listeners: Vec<Arc<Notify>>,
}

impl Bells {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half way through a change; should it, the state is still whole.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tells everybody who listens to this topic to look again. A queue also wakes one claim that can take the task.
    pub fn ring(&self, topic: &Topic) {
        let mut state = self.state();
        state.rings += 1;
        let rings = state.rings;
        let bell = state.topics.entry(topic.clone()).or_default();
        bell.last = rings;
        for listener in &bell.listeners {
            listener.notify_one();
        }
        if let Topic::Queue(need) = topic {
            state.claimers.wake(*need);
        }
        if state.topics.len() > REMEMBERED {
            state.forget();
        }
    }

    /// Tells everybody to look again: more has happened than could be told one by one.
    pub(crate) fn ring_everybody(&self) {
        let mut state = self.state();
        state.rings += 1;
        let rings = state.rings;
        for bell in state.topics.values_mut() {
            bell.last = rings;
            bell.listeners.iter().for_each(|listener| listener.notify_one());
        }
        state.claimers.wake_all();
    }

    /// Begins to listen. Listen first, then look, then wait: a ring between looking and waiting is not missed.
    #[must_use]
    pub fn listen(&self, topics: &[Topic]) -> Listening {
        let notify = Arc::new(Notify::new());
        let mut state = self.state();
        for topic in topics {
            state.topics.entry(topic.clone()).or_default().listeners.push(notify.clone());
        }
        Listening { bells: self.clone(), topics: topics.to_vec(), notify }
    }

    /// The jobs that somebody listens to.
    #[must_use]
    pub(crate) fn jobs_listened_to(&self) -> Vec<JobId> {
        let state = self.state();
        let listened = state.topics.iter().filter(|(_, bell)| !bell.listeners.is_empty());
        listened.filter_map(|(topic, _)| if let Topic::Job(id) = topic { Some(*id) } else { None }).collect()
    }

    /// The number of the last ring of this topic; it grows with every ring.
    #[must_use]
    pub(crate) fn last_ring(&self, topic: &Topic) -> u64 {
        self.state().topics.get(topic).map_or(0, |bell| bell.last)
    }

    /// Begins to wait for a task with one of these needs. `known` are all that were looked at, by id; without them nothing
    /// else is waited for.
    #[must_use]
    pub fn wait_for_work(&self, needs: Vec<i64>, known: Option<Arc<Vec<(i64, Need)>>>) -> Waiting {
        let (id, notify) = self.state().claimers.add(needs, known);
        Waiting::new(self.clone(), id, notify)
    }

    /// How many claims wait for work now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().claimers.len()
    }

    pub(super) fn with_claimers<T>(&self, act: impl FnOnce(&mut Claimers) -> T) -> T {
        act(&mut self.state().claimers)
    }

    /// Which of these topics may have news since `since`, and the cursor for the next time.
    #[must_use]
    pub fn news(&self, topics: &[Topic], since: Option<&str>) -> (String, Vec<Topic>) {
        let state = self.state();
        let cursor = format!("{:x}.{}", state.boot, state.rings);
        let Some(since) = since else { return (cursor, Vec::new()) };
        let seen = since
            .split_once('.')
            .filter(|(boot, _)| *boot == format!("{:x}", state.boot))
            .and_then(|(_, rings)| rings.parse::<u64>().ok())
            .filter(|rings| *rings >= state.forgotten);
        let news = topics
            .iter()
            .filter(|topic| seen.is_none_or(|seen| state.topics.get(topic).is_some_and(|bell| bell.last > seen)))
            .cloned()
            .collect();
        (cursor, news)
    }
}

impl State {
    fn forget(&mut self) {
        let horizon = self.rings.saturating_sub(REMEMBERED as u64 / 2);
        self.topics.retain(|_, bell| !bell.listeners.is_empty() || bell.last > horizon);
        self.forgotten = horizon;
    }
}

/// Somebody who listens to some topics, until dropped.
#[derive(Debug)]
pub struct Listening {
    bells: Bells,
    topics: Vec<Topic>,
    notify: Arc<Notify>,
}

impl Listening {
    /// Waits until one of the topics was rung since the last time, or since listening began.
    pub async fn heard(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = self.bells.state();
        for topic in &self.topics {
            if let Some(bell) = state.topics.get_mut(topic) {
                bell.listeners.retain(|listener| !Arc::ptr_eq(listener, &self.notify));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_between_looking_and_waiting_is_heard() {
        let (bells, topic) = (Bells::default(), Topic::Job(JobId::new()));
        let listening = bells.listen(std::slice::from_ref(&topic));
        bells.ring(&topic);
        listening.heard().await;
    }

    #[test]
    fn news_is_what_was_rung_since_the_cursor() {
        let bells = Bells::default();
        let (job, worker) = (Topic::Job(JobId::new()), Topic::Worker("box".parse().unwrap()));
        let both = [job.clone(), worker];
        let (cursor, news) = bells.news(&both, None);
        assert!(news.is_empty());
        bells.ring(&job);
        let (next, news) = bells.news(&both, Some(&cursor));
        assert_eq!(news, [job]);
        assert!(bells.news(&both, Some(&next)).1.is_empty());
        assert_eq!(
            bells.news(&both, Some("another.7")).1.len(),
            2,
            "a cursor of another start may have missed anything"
        );
    }

    #[test]
    fn listeners_leave_nothing_behind() {
        let (bells, topic) = (Bells::default(), Topic::Job(JobId::new()));
        drop(bells.listen(&[topic]));
        assert!(bells.state().topics.values().all(|bell| bell.listeners.is_empty()));
    }
}
