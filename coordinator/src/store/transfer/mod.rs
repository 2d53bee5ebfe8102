//! Everything that an installation has, as a file, and back: from any database that is supported to any other one.
//!
//! Rows are copied as they are, without a look at what they mean. What is here therefore knows tables, columns and keys only
//! as data ([`tables`]).

mod error;
mod export;
mod format;
mod import;
mod mark;
mod reading;
mod sink;
mod source;
mod tables;
mod target;
#[cfg(test)]
mod tests;

pub use error::TransferError;
pub use export::{Exported, export};
pub use import::{Imported, import};
pub(crate) use mark::is_unfinished;
pub(super) use tables::tables;

/// How far an export or an import has come, for people who wait for it.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being done.
    pub doing: Doing,
    /// With the rows of which table.
    pub table: &'static str,
    /// How many rows are done, of all tables.
    pub rows: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
}

/// What is being done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// They go from a database into a file.
    Exporting,
    /// The file is read to its end before anything is written.
    Verifying,
    /// What an unfinished import has left is removed.
    Emptying,
    /// They go from a file into a database.
    Importing,
}
