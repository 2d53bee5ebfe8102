//! The one clock that signatures use, and its correction. A machine whose clock is wrong can still work: the
//! coordinator tells its own time, and the difference is kept in memory.

use std::sync::atomic::{AtomicI64, Ordering};

const UNKNOWN: i64 = i64::MIN;

/// Seconds since 1970 as the coordinators count them.
pub(super) struct Clock {
    correction: AtomicI64,
    observed: AtomicI64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { correction: AtomicI64::new(0), observed: AtomicI64::new(UNKNOWN) }
    }

    /// For `created`.
    pub(super) fn now(&self) -> i64 {
        system().saturating_add(self.correction.load(Ordering::Relaxed))
    }

    /// A coordinator told its time in a `Date` header.
    pub(super) fn observe(&self, server: i64) {
        self.observed.store(server.saturating_sub(system()), Ordering::Relaxed);
    }

    /// A coordinator refused our time; from now on count as it does. Says whether that changes anything.
    pub(super) fn correct(&self, server: i64) -> bool {
        let correction = server.saturating_sub(system());
        self.correction.swap(correction, Ordering::Relaxed).abs_diff(correction) > 1
    }

    /// By how much coordinators are ahead of this machine, as last seen.
    pub(super) fn observed(&self) -> Option<i64> {
        match self.observed.load(Ordering::Relaxed) {
            UNKNOWN => None,
            offset => Some(offset),
        }
    }
}

fn system() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Reads a `Date` header.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(parse_date("Tue, 20 Apr 2021 02:07:55 GMT"), Some(1_618_884_475));
        assert_eq!(parse_date("yesterday"), None);
    }

    #[test]
    fn a_correction_counts_once() {
        let clock = Clock::new();
        let ahead = system() + 1_000;
        assert!(clock.correct(ahead));
        assert!(!clock.correct(ahead));
        assert!(clock.now() >= ahead);
    }
}
