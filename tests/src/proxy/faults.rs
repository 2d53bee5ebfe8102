//! What a proxy is told to do to the bytes that pass through it, and what it has done.

use std::{net::SocketAddr, time::Duration};

use tokio::sync::watch;

use super::rules::{Kept, Rule};

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the caller to the coordinator.
    Request,
    /// From the coordinator to the caller.
    Answer,
}

/// What happens to bytes in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traffic {
    /// They pass.
    #[default]
    Pass,
    /// Every piece of them waits so long.
    Delay(Duration),
    /// They wait until this is over, as behind a cut cable that is mended: late, and in order.
    Hold,
    /// They are read and thrown away. A connection that lost some of its bytes never passes any again.
    Swallow,
}

/// How often each fault really happened. A test that asked for one asserts that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Connections that were reset on both sides.
    pub reset: u64,
    /// Connections closed because nobody was there to take them on.
    pub unreachable: u64,
    /// Pieces that had to wait a given time.
    pub delayed: u64,
    /// Pieces that had to wait for the end of [`Traffic::Hold`].
    pub held: u64,
    /// Pieces that were thrown away.
    pub swallowed: u64,
    /// Connections that were cut in the middle.
    pub cut: u64,
    /// Answers that came and were not passed on.
    pub lost: u64,
    /// Requests that arrived more than once: the copies beyond the first.
    pub repeated: u64,
    /// Requests that were kept back.
    pub kept: u64,
    /// Requests kept back that arrived after all.
    pub late: u64,
}

/// What a proxy is told.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) upstream: Option<SocketAddr>,
    pub(super) refuses: bool,
    pub(super) over: bool,
    /// Connections that began under another generation are reset.
    pub(super) generation: u64,
    pub(super) traffic: [Traffic; 2],
    /// After how many more bytes the connection that carries them is cut.
    pub(super) budget: [Option<u64>; 2],
    pub(super) rules: Vec<Rule>,
}

/// What a proxy has done.
#[derive(Default)]
pub(super) struct Done {
    pub(super) faults: Faults,
    pub(super) listens: bool,
    pub(super) connections: u64,
    pub(super) exchanges: u64,
    pub(super) answers: Vec<Answered>,
}

/// A request, and how the answer began that was passed on to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The answer's status.
    pub status: u16,
}

/// What the connections of a proxy and the test that steers it share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) plan: watch::Sender<Plan>,
    pub(super) done: watch::Sender<Done>,
    pub(super) kept: std::sync::Mutex<Vec<Kept>>,
}

impl Shared {
    pub(super) fn count(&self, which: impl Fn(&mut Faults) -> &mut u64) {
        self.done.send_modify(|done| *which(&mut done.faults) += 1);
    }

    pub(super) fn traffic(&self, way: Way) -> Traffic {
        self.plan.borrow().traffic[way as usize]
    }

    /// How many of `wanted` bytes may still pass before the cut, if there is to be one.
    pub(super) fn spend(&self, way: Way, wanted: usize) -> Option<usize> {
        let mut cut = None;
        // Spending is nobody's news, so nobody is woken.
        self.plan.send_if_modified(|plan| {
            let budget = &mut plan.budget[way as usize];
            if let Some(left) = *budget {
                match usize::try_from(left) {
                    Ok(left) if left <= wanted => {
                        cut = Some(left);
                        *budget = None;
                    }
                    _ => *budget = Some(left - wanted as u64),
                }
            }
            false
        });
        cut
    }

    /// The first rule for this request that has not been used up.
    pub(super) fn rule_for(&self, method: &str, path: &str) -> Option<Rule> {
        self.plan.borrow().rules.iter().find(|rule| rule.takes(method, path)).cloned()
    }
}
