//! SQLite's clock, which is this process's: the one place in the coordinator that reads it for decisions.

use std::time::Duration;

use ffleet_protocol::Timestamp;

/// How long a caller waits for the writer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Now, in whole microseconds, as the database keeps them.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}
