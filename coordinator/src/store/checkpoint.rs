//! Bringing what was committed from SQLite's log (the WAL) into the database's file. By itself SQLite lets a commit do it
//! every so often, and everybody who waits for that commit waits for all of it. Here it happens beside the writer, on a
//! connection of its own, while commits go on.
//!
//! SQLite begins its log anew only when all of it has been brought over and nobody reads in it. Under a steady load the
//! writer is always a little ahead; once the log is large, the writer therefore brings over the little that is left itself.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rusqlite::Connection;

use super::{Meter, StoreError};

/// Between two looks whether something was committed.
const EVERY: Duration = Duration::from_millis(200);
/// Pages in a log that is to begin anew: 64 MiB of the usual 4 KiB.
const LARGE: i64 = 16_384;

/// Says to the writer that the log is large.
#[derive(Debug, Clone, Default)]
pub(super) struct Large(Arc<AtomicBool>);

impl Large {
    /// Whether it is, once.
    pub(super) fn taken(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Begins to do it, and goes on as long as the store is there.
pub(super) fn start(connection: Connection, store: Weak<Meter>, large: Large) -> Result<(), StoreError> {
    let run = move || run(&connection, &store, &large);
    let started = thread::Builder::new().name("database log".to_owned()).spawn(run);
    started.map(drop).map_err(|error| StoreError::Unavailable(format!("no thread for the database's log: {error}")))
}

fn run(connection: &Connection, store: &Weak<Meter>, large: &Large) {
    let (mut seen, mut well) = (0, true);
    while let Some(commits) = store.upgrade().map(|meter| meter.commits()) {
        if commits != seen {
            seen = commits;
            match checkpoint(connection) {
                Ok(pages) => {
                    large.0.store(pages >= LARGE, Ordering::Relaxed);
                    well = true;
                }
                // A full disk, as a rule. Nothing is lost: the log has it, and this comes round again. It is said once.
                Err(error) => {
                    if well {
                        tracing::warn!(%error, "the database's log cannot be brought into its file");
                    }
                    (seen, well) = (0, false);
                }
            }
        }
        thread::sleep(EVERY);
    }
}

/// Brings over what can be without waiting for anybody; says how many pages the log has.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get("log"))
}
