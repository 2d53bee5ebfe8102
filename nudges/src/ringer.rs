//! What is to be rung: bounded, the newest first to stay, and no topic more often than every so often.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::Nudge;

/// Nudges that wait for a broker; more than that and the oldest go.
const QUEUE: usize = 1_024;
/// One topic is rung again after so long at the earliest. What comes meanwhile is one ring at the end of it.
const APART: Duration = Duration::from_millis(5);
/// A nudge that has waited longer helps nobody: everybody has looked by then.
const STALE: Duration = Duration::from_secs(1);

/// The way to a broker.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ringer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Rings>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Rings {
    /// In the order of the moments at which they may go.
    waiting: VecDeque<(Instant, Nudge)>,
    /// When each topic may be rung again.
    again: HashMap<Nudge, Instant>,
    dropped: u64,
}

impl Ringer {
    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ring(&self, nudge: Nudge) {
        self.rings().add(nudge, Instant::now());
        self.0.woken.notify_one();
    }

    /// Those that found no broker.
    pub(crate) fn dropped(&self) -> u64 {
        self.rings().dropped
    }

    /// One that did not get through.
    pub(crate) fn lost(&self) {
        self.rings().dropped += 1;
    }

    /// The next one, when there is one.
    pub(crate) async fn next(&self) -> Nudge {
        loop {
            let due = match self.rings().take(Instant::now()) {
                Ok(nudge) => return nudge,
                Err(due) => due,
            };
            let woken = self.0.woken.notified();
            match due {
                None => woken.await,
                Some(due) => tokio::select! {
                    () = woken => {}
                    () = sleep_until(due) => {}
                },
            }
        }
    }
}

impl Rings {
    fn add(&mut self, nudge: Nudge, now: Instant) {
        if self.waiting.iter().any(|(_, waiting)| *waiting == nudge) {
            return;
        }
        let due = self.again.get(&nudge).copied().filter(|again| *again > now).unwrap_or(now);
        let at = self.waiting.partition_point(|(other, _)| *other <= due);
        self.waiting.insert(at, (due, nudge));
        if self.waiting.len() > QUEUE {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    /// One that is due, or when the first one will be.
    fn take(&mut self, now: Instant) -> Result<Nudge, Option<Instant>> {
        loop {
            match self.waiting.front() {
                None => return Err(None),
                Some((due, _)) if *due > now => return Err(Some(*due)),
                Some(_) => {}
            }
            let Some((due, nudge)) = self.waiting.pop_front() else { return Err(None) };
            if now - due > STALE {
                self.dropped += 1;
                continue;
            }
            if self.again.len() > QUEUE {
                self.again.retain(|_, again| *again > now);
            }
            self.again.insert(nudge.clone(), now + APART);
            return Ok(nudge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_rung_at_once_and_then_only_now_and_then() {
        let (mut rings, start) = (Rings::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        rings.add(Nudge::Queue(1), at(0));
        assert_eq!(rings.take(at(0)), Ok(Nudge::Queue(1)));
        for ms in 1..4 {
            rings.add(Nudge::Queue(1), at(ms));
        }
        rings.add(Nudge::Queue(2), at(4));
        assert_eq!(rings.take(at(4)), Ok(Nudge::Queue(2)), "another topic does not wait for it");
        assert_eq!(rings.take(at(4)), Err(Some(at(5))));
        assert_eq!(rings.take(at(5)), Ok(Nudge::Queue(1)), "once, for all of them");
        assert_eq!(rings.take(at(5)), Err(None));
    }

    #[test]
    fn the_oldest_go_when_nobody_takes_them() {
        let (mut rings, start) = (Rings::default(), Instant::now());
        for need in 0..2_000 {
            rings.add(Nudge::Queue(need), start);
        }
        assert_eq!((rings.waiting.len(), rings.dropped), (QUEUE, 2_000 - QUEUE as u64));
        assert_eq!(rings.take(start), Ok(Nudge::Queue(2_000 - i64::try_from(QUEUE).unwrap())));
        assert_eq!(rings.take(start + Duration::from_secs(2)), Err(None), "and nobody wants them later");
        assert_eq!(rings.dropped, 1_999);
    }
}
