//! What is heard. Whoever may ring, or breaks into a broker, can only have us look, and not too often.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ffleet_protocol::topic::Topic;

/// So many are listened to within a second; of more, the rest goes unheard, and who waits looks by itself before long.
const PER_SECOND: u32 = 2_000;

/// Passes on what is heard.
pub(crate) struct Heard {
    /// What this process puts into what it rings.
    pub(crate) source: u64,
    hear: Box<dyn Fn(&Topic) + Send + Sync>,
    since: Mutex<(Option<Instant>, u32)>,
    count: AtomicU64,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heard").finish_non_exhaustive()
    }
}

impl Heard {
    pub(crate) fn new(hear: impl Fn(&Topic) + Send + Sync + 'static) -> Self {
        Self { source: rand::random(), hear: Box::new(hear), since: Mutex::default(), count: AtomicU64::new(0) }
    }

    /// Somebody rang.
    pub(crate) fn take(&self, source: Option<u64>, topic: Option<Topic>) {
        if source == Some(self.source) {
            return;
        }
        if let Some(topic) = topic
            && self.admits(Instant::now())
        {
            self.count.fetch_add(1, Ordering::Relaxed);
            (self.hear)(&topic);
        }
    }

    /// How many were passed on.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn admits(&self, now: Instant) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.0.is_none_or(|begun| now - begun >= Duration::from_secs(1)) {
            *since = (Some(now), 0);
        }
        since.1 += 1;
        since.1 <= PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use super::*;

    #[test]
    fn a_flood_is_not_listened_to_for_ever() {
        let count = Arc::<AtomicU32>::default();
        let counting = count.clone();
        let heard = Heard::new(move |_| {
            counting.fetch_add(1, Ordering::Relaxed);
        });
        heard.take(Some(heard.source), Some(Topic::Queue(1)));
        heard.take(None, None);
        assert_eq!(count.load(Ordering::Relaxed), 0, "neither ourselves nor nonsense");
        let start = Instant::now();
        let admitted = (0..10_000).filter(|_| heard.admits(start)).count();
        assert_eq!(admitted, PER_SECOND as usize);
        assert!(heard.admits(start + Duration::from_secs(1)));
    }
}
