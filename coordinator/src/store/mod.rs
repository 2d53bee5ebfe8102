//! The store: rows, and verbs that read and write them. Nothing outside this folder knows which database it is.
//!
//! Reads come from a pool and may be stale by the time a decision is made; every write therefore is a [`commit::Commit`]
//! that names what it was decided on and happens only if that still holds.

pub(crate) mod accounts;
pub(crate) mod attempts;
mod change;
mod checkpoint;
pub(crate) mod claim;
mod clock;
pub(crate) mod commit;
pub(crate) mod convert;
mod error;
pub(crate) mod events;
mod guards;
mod health;
pub(crate) mod housekeeping;
pub(crate) mod idempotency;
pub(crate) mod identities;
pub(crate) mod jobs;
pub(crate) mod listing;
pub(crate) mod logs;
mod meter;
pub(crate) mod needs;
mod open;
pub(crate) mod overview;
mod recent;
pub(crate) mod row;
mod seen;
mod sqlite;
#[cfg(test)]
mod suite;
pub(crate) mod tasks;
pub(crate) mod workers;
mod writer;

use std::{sync::Arc, time::Instant};

use ffleet_protocol::Timestamp;
use sea_orm::DatabaseConnection;

pub use commit::Conflicting;
pub use error::StoreError;
pub use meter::Meter;

/// The database of an installation.
#[derive(Debug, Clone)]
pub struct Store {
    readers: DatabaseConnection,
    writer: writer::Writer,
    recent: recent::Recent,
    meter: Arc<Meter>,
    /// Marks the events that this process wrote, so that it need not hear of them again.
    source: i64,
}

impl Store {
    /// Connects to `url`, such as `sqlite:///var/lib/ffleet/ffleet.db`, makes the database if it is not there, and brings
    /// its tables up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        open::open(url).await
    }

    /// How much it has been asked.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// For reading.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.readers
    }

    /// Writes if every guard of the commit holds. `Ok` means durable.
    pub(crate) async fn commit(&self, mut commit: commit::Commit) -> Result<(), StoreError> {
        for event in &mut commit.rows.events {
            event.source = self.source;
        }
        match tokio::time::timeout(clock::PATIENCE, self.writer.commit(commit)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable("the database took too long to write".to_owned())),
        }
    }

    /// The store's time: the only one that sets and expires leases. SQLite has no clock but its process's.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(clock::now())
    }

    /// Whether the database can be written, asked through the same writer as everything else. Where nothing has been
    /// written lately, something is.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let touch = self.writer.health().is_stale(Instant::now());
        self.commit(commit::Commit { touch, ..commit::Commit::default() }).await?;
        match self.writer.health().trouble(Instant::now()) {
            None => Ok(()),
            Some(cause) => Err(StoreError::Unavailable(cause)),
        }
    }
}

/// A value of ours as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    convert::to_json(value)
}
