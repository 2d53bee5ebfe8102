//! Faults that befall single requests, chosen by method and path.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::sync::watch;

use super::{Way, faults::Shared};
use crate::PATIENCE;

/// What happens to a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// It is done, and whoever asked does not learn it.
    LoseAnswer,
    /// It arrives so many times; the answer of that one (from 0) goes back.
    Repeat { times: usize, answer: usize, at_once: bool },
    /// It does not arrive until somebody says so.
    Keep,
    /// It arrives, and once more when somebody says so.
    Record,
    /// The connection ends after so many bytes of it.
    Cut { way: Way, after: u64 },
}

/// Requests to which something is to happen; see [`super::Proxy::on`].
#[must_use]
pub struct On<'a> {
    shared: &'a Shared,
    method: String,
    path: String,
    times: usize,
}

/// A fault for single requests that was ordered. Clones are the same.
#[derive(Clone)]
pub struct Rule(Arc<Inner>);

struct Inner {
    method: String,
    path: String,
    times: usize,
    act: Act,
    used: watch::Sender<Used>,
}

#[derive(Default)]
struct Used {
    taken: usize,
    happened: usize,
    statuses: VecDeque<u16>,
}

/// A request that was kept back, as it came.
pub(super) struct Kept {
    pub(super) method: String,
    pub(super) bytes: Bytes,
    pub(super) rule: Rule,
}

impl<'a> On<'a> {
    pub(super) fn new(shared: &'a Shared, method: &str, path: &str) -> Self {
        Self { shared, method: method.to_owned(), path: path.to_owned(), times: 1 }
    }

    /// To so many of them, instead of the next one alone.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// The coordinator answers, and the answer never arrives: the connection is closed instead.
    pub fn lose_answer(self) -> Rule {
        self.order(Act::LoseAnswer)
    }

    /// It arrives `times` times, one after the other; the answer of delivery number `answer`, counted from 1, goes back.
    pub fn repeat(self, times: usize, answer: usize) -> Rule {
        assert!((1..=times).contains(&answer), "the answer of one of the {times} deliveries");
        self.order(Act::Repeat { times, answer: answer - 1, at_once: false })
    }

    /// The same, all of them at the same time.
    pub fn repeat_at_once(self, times: usize, answer: usize) -> Rule {
        assert!((1..=times).contains(&answer), "the answer of one of the {times} deliveries");
        self.order(Act::Repeat { times, answer: answer - 1, at_once: true })
    }

    /// It does not arrive and its connection is closed; [`super::Proxy::deliver_late`] lets it arrive after all.
    pub fn keep(self) -> Rule {
        self.order(Act::Keep)
    }

    /// It arrives and is answered as usual, and [`super::Proxy::deliver_late`] lets it arrive once more.
    pub fn record(self) -> Rule {
        self.order(Act::Record)
    }

    /// Its connection is closed after `after` bytes of the request (`Way::Request`) or of its answer.
    pub fn cut(self, way: Way, after: u64) -> Rule {
        self.order(Act::Cut { way, after })
    }

    fn order(self, act: Act) -> Rule {
        let Self { shared, method, path, times } = self;
        let rule = Rule(Arc::new(Inner { method, path, times, act, used: watch::Sender::default() }));
        shared.plan.send_modify(|plan| plan.rules.push(rule.clone()));
        rule
    }
}

impl Rule {
    /// Waits until it has happened as often as it was ordered.
    pub async fn happened(&self) {
        let mut used = self.0.used.subscribe();
        let wanted = used.wait_for(|used| used.happened == self.0.times);
        let in_time = tokio::time::timeout(PATIENCE, wanted).await.is_ok();
        let (act, inner) = (self.0.act, &self.0);
        assert!(in_time, "{act:?} happened to {} of {} {} {}", self.count(), inner.times, inner.method, inner.path);
    }

    /// How often it has happened.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.used.borrow().happened
    }

    /// The statuses of the answers that the caller did not see, in the order in which they came.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        self.0.used.borrow().statuses.iter().copied().collect()
    }

    pub(super) fn act(&self) -> Act {
        self.0.act
    }

    /// Whether it is for this request; one that it takes is used.
    pub(super) fn takes(&self, method: &str, path: &str) -> bool {
        let matches = matches!(self.0.method.as_str(), "*" | "") || self.0.method == method;
        if !matches || !fits(&self.0.path, path) {
            return false;
        }
        self.0.used.send_if_modified(|used| {
            let free = used.taken < self.0.times;
            used.taken += usize::from(free);
            free
        })
    }

    /// The request did not get as far as its fault; the next one will.
    pub(super) fn give_back(&self) {
        self.0.used.send_modify(|used| used.taken -= 1);
    }

    pub(super) fn note(&self) {
        self.0.used.send_modify(|used| used.happened += 1);
    }

    pub(super) fn note_status(&self, status: u16) {
        self.0.used.send_modify(|used| used.statuses.push_back(status));
    }
}

/// Whether a path is as in a pattern, in which `*` stands for one whole segment and a last `**` for any number of them.
fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_match_segment_by_segment() {
        let yes =
            [("/v1/jobs", "/v1/jobs"), ("/v1/tasks/*/finish", "/v1/tasks/7/finish"), ("/**", "/v1/jobs"), ("**", "/")];
        let no = [("/v1/jobs", "/v1/jobs:batch"), ("/v1/jobs", "/v1/jobs/7"), ("/v1/jobs/*", "/v1/jobs/7/cancel")];
        assert!(yes.iter().all(|(pattern, path)| fits(pattern, path)));
        assert!(no.iter().all(|(pattern, path)| !fits(pattern, path)));
    }
}
