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
mod inspect;
pub(crate) mod jobs;
mod kind;
pub(crate) mod listing;
pub(crate) mod logs;
mod meter;
pub(crate) mod needs;
mod open;
pub(crate) mod overview;
mod reader;
mod recent;
pub(crate) mod row;
mod seen;
mod server;
mod sqlite;
#[cfg(test)]
mod suite;
mod tables;
pub(crate) mod tasks;
pub mod transfer;
pub(crate) mod workers;
mod writer;

use std::{sync::Arc, time::Instant};

use ffleet_protocol::Timestamp;
use ffleet_settings::SecretReaders;

pub use commit::Conflicting;
pub use error::StoreError;
pub use inspect::{Inspection, inspect};
pub use meter::Meter;
pub(crate) use reader::Reader;
pub(crate) use server::advice;
pub use server::{Cluster, Finding};

use crate::config::Database;

/// The database of an installation.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Reader,
    hints: Reader,
    writing: Writing,
    clock: clock::Clock,
    recent: recent::Recent,
    findings: Arc<[Finding]>,
    meter: Arc<Meter>,
    /// Marks the events that this process wrote, so that it need not hear of them again.
    source: i64,
}

/// The way in which commits reach the database.
#[derive(Debug, Clone)]
enum Writing {
    /// SQLite has one writer.
    File(writer::Writer),
    /// A server has many, here and in other coordinators.
    Server(server::Writer),
}

/// Who writes to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writers {
    /// This process alone, one commit after the other: a guard that held when it was looked at holds.
    One,
    /// Others as well, at the same time: what is guarded has to be written too.
    Many,
}

impl Store {
    /// Connects to `url`, such as `sqlite:///var/lib/ffleet/ffleet.db`, makes the database if it is not there, and brings
    /// its tables up to date.
    ///
    /// # Errors
    /// When it cannot be used; the message says why and what to do.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let database = Database { url: url.to_owned(), ..Database::default() };
        Self::connect(&database, SecretReaders::OwnerOnly).await
    }

    /// The same as configured; `readers` says who may be able to read the file of the password.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn connect(database: &Database, readers: SecretReaders) -> Result<Self, StoreError> {
        if database.is_server() { server::open(database, readers).await } else { open::open(&database.url).await }
    }

    /// How much it has been asked.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What about the database endangers a promise.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// For reading what was written before, by whomever.
    pub(crate) fn reader(&self) -> &Reader {
        &self.readers
    }

    /// For lists, and whatever is only a hint: on a cluster it may be a moment old, and waits for nobody.
    pub(crate) fn hints(&self) -> &Reader {
        &self.hints
    }

    /// Who else writes.
    pub(crate) fn writers(&self) -> Writers {
        match self.writing {
            Writing::File(_) => Writers::One,
            Writing::Server(_) => Writers::Many,
        }
    }

    /// Writes if every guard of the commit holds. `Ok` means durable.
    pub(crate) async fn commit(&self, mut commit: commit::Commit) -> Result<(), StoreError> {
        for event in &mut commit.rows.events {
            event.source = self.source;
        }
        let written = async {
            match &self.writing {
                Writing::File(writer) => writer.commit(commit).await,
                Writing::Server(writer) => writer.commit(commit).await,
            }
        };
        match tokio::time::timeout(clock::PATIENCE, written).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable("the database took too long to write".to_owned())),
        }
    }

    /// The store's time: the only one that sets and expires leases.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        self.clock.now(&self.hints).await
    }

    /// The store's time as far as it is known without asking.
    #[must_use]
    pub fn known_now(&self) -> Timestamp {
        self.clock.known().unwrap_or_else(clock::own)
    }

    fn health(&self) -> &health::Health {
        match &self.writing {
            Writing::File(writer) => writer.health(),
            Writing::Server(writer) => writer.health(),
        }
    }

    /// Why it could not be written lately, if it could not.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.health().trouble(Instant::now())
    }

    /// Whether the database can be written, asked through the same writer as everything else. Where nothing has been
    /// written lately, something is.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let touch = self.health().is_stale(Instant::now());
        self.commit(commit::Commit { touch, ..commit::Commit::default() }).await?;
        match self.health().trouble(Instant::now()) {
            None => Ok(()),
            Some(cause) => Err(StoreError::Unavailable(cause)),
        }
    }
}

/// Makes the tables, or brings them up to date; says which changes of them were missing.
///
/// # Errors
/// When the database cannot be used, or its tables are not ours to change; the message says why and what to do.
pub async fn migrate(database: &Database, readers: SecretReaders) -> Result<Vec<String>, StoreError> {
    if database.is_server() {
        Ok(server::migrate(database, readers).await?.into_iter().collect())
    } else {
        open::migrate(&database.url).await
    }
}

/// A value of ours as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    convert::to_json(value)
}
