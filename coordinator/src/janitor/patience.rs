//! After an outage everybody first gets the chance to speak.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long this process has been able to write the database, without a break.
///
/// A janitor that lapsed leases as soon as it came back would take every task from workers that had no way to renew them.
#[derive(Debug)]
pub struct Patience {
    wait: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    writing_since: Option<Instant>,
    last: Option<Instant>,
}

/// A silence between two sweeps that is longer than this was an outage too: the process itself was stopped.
const ASLEEP: Duration = Duration::from_secs(15);

impl Patience {
    /// Patience for one full lease.
    #[must_use]
    pub fn new(lease_s: u64) -> Self {
        Self { wait: Duration::from_secs(lease_s), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the database could be written just now.
    pub(super) fn heard(&self, writable: bool, now: Instant) {
        let mut seen = self.seen();
        let slept = seen.last.is_some_and(|last| now.duration_since(last) > ASLEEP);
        if !writable || slept {
            seen.writing_since = None;
        }
        if writable {
            seen.writing_since.get_or_insert(now);
        }
        seen.last = Some(now);
    }

    /// Whether everybody could have spoken.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.seen().writing_since.is_some_and(|since| now.duration_since(since) >= self.wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lapses_before_a_full_lease_without_a_break() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let patience = Patience::new(35);
        assert!(!patience.is_over(at(0)), "nothing was written yet");
        for s in (0..=35).step_by(5) {
            patience.heard(true, at(s));
        }
        assert!(!patience.is_over(at(34)) && patience.is_over(at(35)));
        patience.heard(false, at(40));
        patience.heard(true, at(45));
        assert!(!patience.is_over(at(79)) && patience.is_over(at(80)), "an outage begins it anew");
        patience.heard(true, at(120));
        assert!(!patience.is_over(at(121)), "so does a process that was stopped");
    }
}
