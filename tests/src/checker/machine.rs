//! The reference machine: which transition of a task may follow which, as a table.
//!
//! It knows what the recorded words mean and nothing of how the product decides. A word that is not here is a violation:
//! whoever gives the life cycle a new transition writes it down a second time, here, on purpose.

/// What a transition does to the number of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Epoch {
    /// Nothing has been tried.
    Zero,
    /// It stays.
    Same,
    /// The next attempt begins.
    Next,
}

/// What must have been so before a transition, besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    /// Nothing else.
    Always,
    /// The task waits because the lease of an attempt that ran has just lapsed: its holder's word still counts.
    AfterLapse,
    /// No attempt has begun to run yet.
    BeforeItRan,
}

/// One legal transition.
#[derive(Debug)]
pub(super) struct Legal {
    /// From here; `new` for a task that was not there.
    from: &'static str,
    /// By this.
    what: &'static str,
    /// To one of these.
    to: &'static [&'static str],
    /// The attempt's number.
    pub(super) epoch: Epoch,
    /// A further condition.
    pub(super) only: Only,
}

const fn legal(from: &'static str, what: &'static str, to: &'static [&'static str]) -> Legal {
    Legal { from, what, to, epoch: Epoch::Same, only: Only::Always }
}

const fn late(from: &'static str, what: &'static str, to: &'static [&'static str]) -> Legal {
    Legal { only: Only::AfterLapse, ..legal(from, what, to) }
}

const fn early(from: &'static str, what: &'static str, to: &'static [&'static str]) -> Legal {
    Legal { only: Only::BeforeItRan, ..legal(from, what, to) }
}

const TABLE: &[Legal] = &[
    Legal { epoch: Epoch::Zero, ..legal("new", "submitted", &["blocked", "pending"]) },
    // before any worker
    legal("blocked", "unblocked", &["pending"]),
    legal("blocked", "dependency_failed", &["failed"]),
    early("blocked", "queue_timeout", &["failed"]),
    legal("blocked", "canceled", &["canceled"]),
    early("pending", "queue_timeout", &["failed"]),
    legal("pending", "canceled", &["canceled"]),
    Legal { epoch: Epoch::Next, ..legal("pending", "claimed", &["assigned"]) },
    // a worker looks whether it can begin
    legal("assigned", "accepted", &["running"]),
    legal("assigned", "rejected", &["pending", "failed"]),
    legal("assigned", "assignment_timeout", &["pending", "failed"]),
    legal("assigned", "lease_lapsed", &["pending", "failed"]),
    legal("assigned", "canceled", &["canceled"]),
    // it runs
    legal("running", "publishing", &["publishing"]),
    legal("running", "completed", &["completed"]),
    legal("running", "failed", &["failed"]),
    legal("running", "retry", &["pending"]),
    legal("running", "handed_back", &["pending"]),
    legal("running", "lease_lapsed", &["pending", "failed"]),
    legal("running", "cancel_requested", &["canceling"]),
    // its outputs are being put in place
    legal("publishing", "completed", &["completed"]),
    legal("publishing", "failed", &["failed"]),
    legal("publishing", "retry", &["pending"]),
    legal("publishing", "handed_back", &["pending"]),
    legal("publishing", "lease_lapsed", &["pending", "failed"]),
    // somebody wants it stopped
    legal("canceling", "canceled", &["canceled"]),
    legal("canceling", "cancel_forced", &["canceled"]),
    // its lease has lapsed, nobody has claimed it since, and its holder speaks again
    late("pending", "resumed", &["running"]),
    late("pending", "publishing", &["publishing"]),
    late("pending", "completed", &["completed"]),
    late("pending", "failed", &["failed"]),
    late("pending", "retry", &["pending"]),
    late("pending", "handed_back", &["pending"]),
];

/// The rule for a transition, if there is one.
pub(super) fn rule(from: &str, what: &str, to: &str) -> Option<&'static Legal> {
    TABLE.iter().find(|legal| legal.from == from && legal.what == what && legal.to.contains(&to))
}

/// Whether nothing may follow.
pub(super) fn is_terminal(state: &str) -> bool {
    ["completed", "failed", "canceled"].contains(&state)
}

/// Whether a worker holds a lease in this state.
pub(super) fn is_leased(state: &str) -> bool {
    ["assigned", "running", "publishing", "canceling"].contains(&state)
}
