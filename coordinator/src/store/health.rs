//! Whether the database can be written: what the last real commits have shown.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::StoreError;

/// A failed write counts for so long, unless one has gone through since. A full disk refuses what needs room and takes what
/// does not, so that a small write that goes through proves little about it; a database that is back takes any.
const REMEMBERED: Duration = Duration::from_secs(10);
/// A write that went through answers for the next ones for so long.
const FRESH: Duration = Duration::from_secs(5);

/// What is known about it.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    written: Option<Instant>,
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    at: Instant,
    for_room: bool,
    cause: String,
}

impl Health {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written. What was written only to see whether it can be does not tell that there is room.
    pub(super) fn written(&self, for_its_own_sake: bool, now: Instant) {
        let mut known = self.known();
        known.written = Some(now);
        known.failed.take_if(|failed| !(for_its_own_sake && failed.for_room));
    }

    /// The database refused a write for a reason that may pass.
    pub(super) fn failed(&self, error: &StoreError, now: Instant) {
        if let StoreError::Unavailable(cause) | StoreError::NoRoom(cause) = error {
            let for_room = matches!(error, StoreError::NoRoom(_));
            self.known().failed = Some(Failed { at: now, for_room, cause: cause.clone() });
        }
    }

    /// Whether nothing has been written lately, or something could not be, so that somebody has to try.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        let known = self.known();
        known.failed.is_some() || known.written.is_none_or(|at| now.duration_since(at) >= FRESH)
    }

    /// What was wrong lately.
    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        let known = self.known();
        let failed = known.failed.as_ref().filter(|failed| now.duration_since(failed.at) < REMEMBERED);
        failed.map(|failed| failed.cause.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_until_a_real_write_goes_through_or_time_has_passed() {
        let (health, start) = (Health::default(), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        let full = StoreError::NoRoom("full".to_owned());
        assert!(health.is_stale(at(0)) && health.trouble(at(0)).is_none());
        health.failed(&full, at(1));
        health.written(true, at(2));
        assert_eq!(health.trouble(at(3)).as_deref(), Some("full"), "a small write proves little");
        assert_eq!(health.trouble(at(11)), None);
        health.failed(&full, at(20));
        assert!(health.is_stale(at(20)), "somebody has to try");
        health.written(false, at(21));
        assert_eq!(health.trouble(at(21)), None);
        assert!(!health.is_stale(at(22)) && health.is_stale(at(26)));
        health.failed(&StoreError::Unavailable("gone".to_owned()), at(30));
        health.written(true, at(31));
        assert_eq!(health.trouble(at(31)), None, "whoever can write at all is back");
    }
}
