//! SQLite as its writer uses it: a connection of its own, in a thread of its own, with statements that stay prepared.
//!
//! Everything else reads through a pool; there each statement changes threads twice, which costs several times what most
//! statements of a commit do.

use std::sync::Arc;

use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Params, ToSql, params_from_iter,
    types::{FromSql, Null, ToSqlOutput, ValueRef},
};
use sea_orm::{
    Value,
    sea_query::{QueryStatementWriter, SqliteQueryBuilder},
};

use super::{Meter, StoreError, commit::Commit};

/// Distinct statements that stay prepared.
const PREPARED: usize = 256;

/// The writer's connection.
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) connection: Connection,
    meter: Arc<Meter>,
}

/// A value of the query builder, as SQLite takes it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self.0 {
            Value::BigInt(number) => number.to_sql(),
            Value::Int(number) => number.to_sql(),
            Value::Bool(truth) => truth.to_sql(),
            Value::String(text) => text.to_sql(),
            Value::Bytes(bytes) => bytes.to_sql(),
            // As the pool writes them: 16 bytes.
            Value::Uuid(Some(id)) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes()))),
            Value::Uuid(None) => Ok(Null.into()),
            Value::BigUnsigned(Some(number)) => {
                let number =
                    i64::try_from(*number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                Ok(number.into())
            }
            other => Err(rusqlite::Error::ToSqlConversionFailure(format!("no column holds {other:?}").into())),
        }
    }
}

impl Sqlite {
    /// Over a connection that nobody else uses.
    pub(super) fn new(connection: Connection, meter: Arc<Meter>) -> Self {
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Self { connection, meter }
    }

    fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.meter.asked();
        self.connection.prepare_cached(sql)
    }

    /// Runs a statement; says how many rows it changed.
    pub(super) fn run(&self, sql: &str, values: impl Params) -> rusqlite::Result<usize> {
        self.prepared(sql)?.execute(values)
    }

    /// The first column of the only row, if there is one.
    pub(super) fn look<T: FromSql>(&self, sql: &str, values: impl Params) -> rusqlite::Result<Option<T>> {
        self.prepared(sql)?.query_row(values, |row| row.get(0)).optional()
    }

    /// Writes everything that a commit writes.
    pub(super) fn write(&self, commit: &Commit) -> Result<(), StoreError> {
        for change in &commit.changes {
            // The guards held, so each finds its row. Should one not, half a decision must not be written.
            if self.run(&change.sql(), params_from_iter(change.values().map(Bound)))? != 1 {
                return Err(StoreError::Other(format!("no row for {}", change.sql()).into()));
            }
        }
        for delete in &commit.deletes {
            self.built(delete)?;
        }
        for insert in &commit.inserts {
            self.built(insert)?;
        }
        if commit.touch {
            // A number of SQLite's that is free for applications. An update that changes nothing would write nothing.
            self.connection.pragma_update(None, "user_version", rand::random_range(0..i32::MAX))?;
        }
        if let Some(awaited) = &commit.asks {
            let some = self.look::<i64>("SELECT 1 FROM task_deps WHERE job_id = ? LIMIT 1", [awaited.job.0])?;
            awaited.found(some.is_some());
        }
        commit.rows.each(|sql, values| self.run(sql, values).map(drop))?;
        Ok(())
    }

    fn built(&self, statement: &impl QueryStatementWriter) -> rusqlite::Result<()> {
        let (sql, values) = statement.build(SqliteQueryBuilder);
        self.run(&sql, params_from_iter(values.0.iter().map(Bound))).map(drop)
    }
}
