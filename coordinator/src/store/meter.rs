//! How much the database is asked: what a request costs shows here first.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sea_orm::DatabaseConnection;

/// Counts since this coordinator was started.
#[derive(Debug, Default)]
pub struct Meter {
    statements: AtomicU64,
    commits: AtomicU64,
}

impl Meter {
    /// Statements, those that begin and end transactions aside.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Transactions that were committed. Many units of change may share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Counts what goes over this connection from now on.
    pub(super) fn count_statements_of(meter: &Arc<Self>, db: &mut DatabaseConnection) {
        let meter = meter.clone();
        db.set_metric_callback(move |_| meter.asked());
    }

    /// One more, over the writer's connection.
    pub(super) fn asked(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}
