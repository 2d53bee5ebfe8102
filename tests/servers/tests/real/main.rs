//! Each server starts, answers, is killed and comes back with its data. They are real, so this takes a minute.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod brokers;
mod databases;
mod ending;
mod galera;
mod haproxy;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Clusters are large: one at a time.
fn one_cluster() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}
