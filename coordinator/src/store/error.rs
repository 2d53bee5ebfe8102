//! What can go wrong between a decision and the disk.

use super::commit::Conflicting;

/// Why a verb of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote first: read again and decide again.
    #[error("{0} was changed by somebody else")]
    Conflict(Conflicting),
    /// The database does not answer or cannot be written now.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database has no room for what was to be written.
    #[error("the database has no room: {0}")]
    NoRoom(String),
    /// A row makes no sense.
    #[error("the row of {id} makes no sense: {why}")]
    Corrupt {
        /// Which row.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// The database refused a statement.
    #[error("the database refused a statement")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// A row that makes no sense.
    #[expect(clippy::needless_pass_by_value, reason = "ids and errors are handed over as they are")]
    pub(crate) fn corrupt(id: impl ToString, why: impl ToString) -> Self {
        Self::Corrupt { id: id.to_string(), why: why.to_string() }
    }
}

impl From<sea_orm::DbErr> for StoreError {
    fn from(error: sea_orm::DbErr) -> Self {
        const PASSING: [&str; 4] =
            ["disk I/O error", "database is locked", "unable to open database", "readonly database"];
        let text = error.to_string();
        let says = |words: &str| text.contains(words);
        if says("database or disk is full") {
            Self::NoRoom(text)
        } else if matches!(error, sea_orm::DbErr::ConnectionAcquire(_) | sea_orm::DbErr::Conn(_))
            || PASSING.iter().any(|words| says(words))
        {
            Self::Unavailable(text)
        } else {
            Self::Other(error.into())
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as E;
        match error.sqlite_error_code() {
            Some(E::DiskFull) => Self::NoRoom(error.to_string()),
            Some(E::SystemIoFailure | E::DatabaseBusy | E::DatabaseLocked | E::CannotOpen | E::ReadOnly) => {
                Self::Unavailable(error.to_string())
            }
            Some(_) | None => Self::Other(error.into()),
        }
    }
}
