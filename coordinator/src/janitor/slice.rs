//! How much housekeeping makes a short piece of the writer's time, found out by doing it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What everybody who submits meanwhile may have to wait: no more than a submit takes by itself.
const TARGET: Duration = Duration::from_millis(2);
/// Below this, a piece is mostly the sync of the disk, and history could grow faster than it goes.
const LEAST: u64 = 8;
const MOST: u64 = 200;

/// The size of the next piece.
#[derive(Debug)]
pub(crate) struct Slice(AtomicU64);

impl Default for Slice {
    fn default() -> Self {
        Self(AtomicU64::new(LEAST))
    }
}

impl Slice {
    /// Rows of the next piece.
    pub(super) fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A piece of this size took so long.
    pub(super) fn took(&self, time: Duration) {
        let rows = self.rows();
        let next = if time > TARGET {
            rows * 3 / 4
        } else if time < TARGET / 2 {
            rows + rows / 4
        } else {
            rows
        };
        self.0.store(next.clamp(LEAST, MOST), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_as_large_as_is_short() {
        let slice = Slice::default();
        for _ in 0..100 {
            slice.took(Duration::from_micros(slice.rows() * 20));
        }
        assert!((40..=100).contains(&slice.rows()), "{}", slice.rows());
        for _ in 0..100 {
            slice.took(Duration::from_millis(90));
        }
        assert_eq!(slice.rows(), LEAST);
    }
}
