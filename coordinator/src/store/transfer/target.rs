//! A database that an import has taken for itself: from the mark in its row of the installation to the fingerprint.

use sea_orm::Value;

use super::{
    super::{
        StoreError, clock,
        convert::micros,
        row::{self, Row as _},
        server::{Step, inserted},
    },
    Doing, Progress, TransferError,
    export::read,
    mark::{is_unfinished, mark},
    sink::{Sink, Unwritten},
    tables::{Table, tables},
};

/// Between so many transactions, SQLite's log is brought into its file.
const SETTLE: u64 = 16;
/// Rows that one statement removes.
const REMOVED: usize = 1_000;
/// What coordinators leave in a database in which nobody has an account yet.
const HARMLESS: [&str; 3] = ["installation", "needs", "nonces"];

/// A database that is this import's.
pub(super) struct Target {
    sink: Sink,
    place: String,
    mark: Vec<u8>,
    written: u64,
}

impl Target {
    /// Takes a database that holds nothing, or with `anew` one in which an import was not finished, and empties it.
    pub(super) async fn take(
        sink: Sink,
        place: &str,
        anew: bool,
        told: &mut dyn FnMut(Progress),
    ) -> Result<Self, TransferError> {
        let mut target = Self { sink, place: place.to_owned(), mark: mark(), written: 0 };
        let found = target.fingerprint().await.map_err(target.unreadable())?;
        let leftover = found.as_deref().is_some_and(is_unfinished);
        if leftover && !anew {
            return Err(TransferError::Refused(format!(
                "{place} holds an import that was not finished, or is still under way; when it is not, \
                 `ffleet-coordinator import --anew FILE` empties the database and begins again"
            )));
        }
        if !leftover && let Some(table) = target.occupied().await.map_err(target.unreadable())? {
            return Err(TransferError::Refused(format!(
                "{place} holds an installation already (there are rows in {table}); set `database.url` to an empty database"
            )));
        }
        target.begin(found).await?;
        for (index, table) in tables().iter().enumerate().skip(1) {
            told(Progress { doing: Doing::Emptying, table: table.name, rows: index as u64, of: None });
            target.empty(table).await?;
        }
        Ok(target)
    }

    async fn fingerprint(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.sink.rows("SELECT fingerprint FROM installation WHERE id = 1").await?;
        Ok(rows.first().map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// A table that has rows which nobody may lose.
    async fn occupied(&mut self) -> Result<Option<&'static str>, StoreError> {
        for table in tables().iter().filter(|table| !HARMLESS.contains(&table.name)) {
            let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
            if !self.sink.rows(&sql).await?.is_empty() {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    /// Puts the mark in the place of what was found there.
    async fn begin(&mut self, found: Option<Vec<u8>>) -> Result<(), TransferError> {
        let now = micros(clock::own());
        let steps = match found {
            None => inserted(&[row::installation::Model { id: 1, fingerprint: self.mark.clone(), created_at: now }]),
            Some(found) => vec![becomes(self.mark.clone().into(), now.into(), found)],
        };
        self.sink.write(&steps).await.map_err(|error| self.unwritten(error, "the mark of the import"))
    }

    async fn empty(&mut self, table: &Table) -> Result<(), TransferError> {
        let backend = self.sink.backend();
        loop {
            let keys = self.sink.rows(&table.keys(backend, REMOVED)).await.map_err(self.unreadable())?;
            let Some(last) = keys.last() else { return Ok(()) };
            let key = read(last, 0, table.order(backend).into_iter().map(|(_, kind)| kind));
            let key = key.map_err(|error| self.unreadable()(error.into()))?;
            let (sql, values) = table.removal(backend, &key);
            let removal = Step { sql, values, rows: None, loser: None };
            self.write(vec![removal], &format!("the removal of rows of {}", table.name)).await?;
        }
    }

    /// Writes, if the database still is this import's. `what` is for people.
    pub(super) async fn write(&mut self, steps: Vec<Step>, what: &str) -> Result<(), TransferError> {
        let mut all = vec![Step {
            sql: "UPDATE installation SET created_at = created_at + 1 WHERE id = 1 AND fingerprint = ?".to_owned(),
            values: vec![self.mark.clone().into()],
            rows: Some(1),
            loser: None,
        }];
        all.extend(steps);
        self.sink.write(&all).await.map_err(|error| self.unwritten(error, what))?;
        self.written += 1;
        if self.written.is_multiple_of(SETTLE) {
            self.sink.settle().await.map_err(|error| self.unwritten(Unwritten::Failed(error), what))?;
        }
        Ok(())
    }

    /// Makes it an installation.
    pub(super) async fn finish(&mut self, fingerprint: &Value, created_at: &Value) -> Result<(), TransferError> {
        let needs = self.sink.go_on_after(row::need::Model::TABLE, "id").await;
        needs.map_err(|error| self.unwritten(Unwritten::Failed(error), "the next id of needs"))?;
        let last = becomes(fingerprint.clone(), created_at.clone(), self.mark.clone());
        self.sink.write(&[last]).await.map_err(|error| self.unwritten(error, "the row of the installation"))
    }

    /// Ends the connection in order.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        self.sink.close().await
    }

    fn unreadable(&self) -> impl FnOnce(StoreError) -> TransferError + use<> {
        TransferError::doing(format!("{} cannot be read", self.place))
    }

    fn unwritten(&self, error: Unwritten, what: &str) -> TransferError {
        let place = &self.place;
        match error {
            Unwritten::Gone => {
                TransferError::Refused(format!("another import, or a coordinator, has taken {place} over"))
            }
            Unwritten::Failed(cause) => TransferError::Store {
                what: format!(
                    "{what} cannot be written into {place}; when that is mended, `ffleet-coordinator import --anew FILE` \
                     begins again"
                ),
                cause,
            },
        }
    }
}

/// The row of the installation becomes this, if it still is the one that was read.
fn becomes(fingerprint: Value, created_at: Value, seen: Vec<u8>) -> Step {
    Step {
        sql: "UPDATE installation SET fingerprint = ?, created_at = ? WHERE id = 1 AND fingerprint = ?".to_owned(),
        values: vec![fingerprint, created_at, seen.into()],
        rows: Some(1),
        loser: None,
    }
}
