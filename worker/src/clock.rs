//! The worker's own clock, by which it gives up leases. It is compared with nobody else's.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A moment on a clock that nobody can set and that goes on while the machine sleeps. A clock that stood still meanwhile
/// would let a laptop wake up and encode on beside the worker that has taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let read = |clock: ClockId| clock_gettime(clock).map(Duration::from).ok();
        // Every Linux that runs this has both clocks; without either, a lease would end at once, which is safe.
        Self(read(ClockId::CLOCK_BOOTTIME).or_else(|| read(ClockId::CLOCK_MONOTONIC)).unwrap_or(Duration::MAX))
    }

    /// So much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }

    /// How long it is from `now` until this moment; zero when it is past.
    #[must_use]
    pub fn left(self, now: Self) -> Duration {
        self.0.saturating_sub(now.0)
    }
}
