//! What can go wrong between a database and a file.

use std::{io, path::PathBuf};

use super::super::StoreError;

/// Why an export or an import was not done.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// It must not be done as things are.
    #[error("{0}")]
    Refused(String),
    /// The file is not what an export has written.
    #[error("{}, line {line}{}: {why}", file.display(), of(table.as_deref()))]
    File {
        /// The file.
        file: PathBuf,
        /// Its line.
        line: u64,
        /// The table that the line is of, as far as that is known.
        table: Option<String>,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The file cannot be read or written.
    #[error("{what}")]
    Io {
        /// Which file.
        what: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The database cannot be read or written.
    #[error("{what}")]
    Store {
        /// What was being done, and what to do now.
        what: String,
        /// Why.
        #[source]
        cause: StoreError,
    },
}

impl TransferError {
    /// For `map_err`: what was being done with the database.
    pub(super) fn doing(what: impl Into<String>) -> impl FnOnce(StoreError) -> Self {
        move |cause| Self::Store { what: what.into(), cause }
    }
}

fn of(table: Option<&str>) -> String {
    table.map(|table| format!(" ({table})")).unwrap_or_default()
}
