//! Waiting for a fact.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::PATIENCE;

/// Looks again and again until `fact` holds; panics with `what` after [`PATIENCE`].
pub fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < PATIENCE, "within {PATIENCE:?} this did not come true: {what}");
        breathe();
    }
}

/// The time between two looks.
pub(crate) fn breathe() {
    thread::park_timeout(Duration::from_millis(20));
}
