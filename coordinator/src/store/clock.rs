//! The store's clock: the one place in the coordinator that reads it for decisions. SQLite has none but this process's. A
//! server has its own, which is the same for all coordinators: it is asked now and then, and what has passed since is
//! measured here.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ffleet_protocol::Timestamp;
use jiff::SignedDuration;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Reader, StoreError};

/// How long a caller waits for the writer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// A reading of the server's clock serves for so long: a step of that clock is followed within this.
const FRESH: Duration = Duration::from_secs(1);

/// What the server's clock showed, and when.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(Timestamp, Instant)>>>);

impl Clock {
    /// Now, in whole microseconds, as the database keeps them.
    pub(super) async fn now(&self, reader: &Reader) -> Result<Timestamp, StoreError> {
        let Reader::Server(backend, ..) = reader else { return Ok(own()) };
        if let Some((shown, at)) = self.last()
            && at.elapsed() < FRESH
        {
            return Ok(later(shown, at));
        }
        let sql = match backend {
            DbBackend::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
            _ => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
        };
        let row = reader.query_one_raw(Statement::from_string(*backend, sql)).await?;
        let micros = row.ok_or_else(|| StoreError::Unavailable("the database tells no time".to_owned()))?;
        let shown = super::convert::moment(micros.try_get_by_index(0)?)?;
        // Taken when the answer is here: what is shown is never ahead of the server, so that nothing lapses early.
        let at = Instant::now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((shown, at));
        Ok(shown)
    }

    /// Now as far as it is known without asking. `None` before the first reading.
    pub(super) fn known(&self) -> Option<Timestamp> {
        self.last().map(|(shown, at)| later(shown, at))
    }

    fn last(&self) -> Option<(Timestamp, Instant)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This process's clock, in whole microseconds.
pub(super) fn own() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

fn later(shown: Timestamp, at: Instant) -> Timestamp {
    let micros = i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX);
    shown.saturating_add(SignedDuration::from_micros(micros)).unwrap_or(shown)
}
