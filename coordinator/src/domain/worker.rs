//! The life of a worker.
//!
//! Whether somebody has paused it is a fact of its own beside its state: a pause survives a restart, and in between the
//! worker is offline.

use std::time::Duration;

use ffleet_protocol::state::WorkerState;

/// Where a worker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Standing {
    /// What people see.
    pub state: WorkerState,
    /// Whether it is to take no new work until resumed, now or when it comes back.
    pub paused: bool,
}

/// Something that happens to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkerEvent {
    /// It has started and said what it has.
    Registered,
    /// Somebody wants it to take no new work.
    Paused,
    /// Somebody wants it to take work again.
    Resumed,
    /// It is to finish what runs and leave: an admin's wish, or its own.
    Drained,
    /// It holds no task any more, and has been told where it stands.
    LastTaskEnded,
    /// It has said goodbye.
    Left,
    /// It was not heard of for too long.
    Silent,
}

impl WorkerEvent {
    /// Every event.
    pub const ALL: [Self; 7] =
        [Self::Registered, Self::Paused, Self::Resumed, Self::Drained, Self::LastTaskEnded, Self::Left, Self::Silent];
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkerRefusal {
    /// There is nothing to drain.
    #[error("this worker is offline; there is nothing to drain")]
    Offline,
    /// It is leaving and will not change its mind.
    #[error("this worker is draining and will leave; start it again when it has left")]
    Leaving,
}

impl Standing {
    /// A worker that has never registered.
    pub const NEW: Self = Self { state: WorkerState::Offline, paused: false };

    /// Where it stands after `event`. An event that changes nothing answers the same standing.
    pub fn on(self, event: WorkerEvent) -> Result<Self, WorkerRefusal> {
        use WorkerEvent as E;
        use WorkerState as S;
        let Self { state, paused } = self;
        let (state, paused) = match (event, state) {
            (E::Registered, S::Offline | S::Online | S::Paused | S::Draining | S::Unknown) => (present(paused), paused),
            (E::Paused, S::Online | S::Paused) => (S::Paused, true),
            (E::Resumed, S::Online | S::Paused) => (S::Online, false),
            (E::Paused, S::Offline | S::Unknown) => (S::Offline, true),
            (E::Resumed, S::Offline | S::Unknown) => (S::Offline, false),
            (E::Paused | E::Resumed, S::Draining) => return Err(WorkerRefusal::Leaving),
            (E::Drained, S::Online | S::Paused | S::Draining) => (S::Draining, paused),
            (E::Drained, S::Offline | S::Unknown) => return Err(WorkerRefusal::Offline),
            (E::LastTaskEnded, S::Draining) => (S::Offline, paused),
            (E::LastTaskEnded, S::Offline | S::Online | S::Paused | S::Unknown) => (state, paused),
            (E::Left | E::Silent, S::Offline | S::Online | S::Paused | S::Draining | S::Unknown) => {
                (S::Offline, paused)
            }
        };
        Ok(Self { state, paused })
    }

    /// Whether it may be given new tasks.
    #[must_use]
    pub fn takes_work(self) -> bool {
        match self.state {
            WorkerState::Online => true,
            WorkerState::Offline | WorkerState::Paused | WorkerState::Draining | WorkerState::Unknown => false,
        }
    }
}

fn present(paused: bool) -> WorkerState {
    if paused { WorkerState::Paused } else { WorkerState::Online }
}

/// How long a worker may be silent: two and a half of its heartbeats, and never less than `minimum`.
#[must_use]
pub fn silence_limit(heartbeat: Duration, minimum: Duration) -> Duration {
    heartbeat.saturating_mul(5).checked_div(2).unwrap_or(Duration::MAX).max(minimum)
}
