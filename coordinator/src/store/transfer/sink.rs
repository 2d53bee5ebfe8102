//! Where an import writes: one connection, one transaction after the other.

use ffleet_settings::SecretReaders;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement, TransactionTrait};

use super::super::{
    StoreError, open,
    server::{Finding, Link, Nature, Purpose, Step, connected, failed, nature, target},
};
use crate::config::Database;

/// A database that nobody else uses.
pub(super) enum Sink {
    /// SQLite.
    File(DatabaseConnection),
    /// A server.
    Server(Link),
}

/// Too long a text is an error, and not cut without a word.
const MARIADB: &str = "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@SESSION.sql_mode, ''), 'STRICT_ALL_TABLES'), \
                       max_statement_time = 120";
const POSTGRES: &str = "SET statement_timeout = 120000";
/// How often a transaction that somebody was in the way of is run again.
const AGAIN: u32 = 8;

/// Why a transaction was not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// A row that must have been met is not there any more.
    Gone,
    /// The database did not take it.
    Failed(StoreError),
}

impl Sink {
    /// Connects. The tables must be there.
    pub(super) async fn open(database: &Database, readers: SecretReaders) -> Result<Self, StoreError> {
        if !database.is_server() {
            return Ok(Self::File(open::connect(open::named(&database.url)?, 1).await?));
        }
        let target = target(database, readers)?;
        // Whether there is anything already is asked of a whole cluster.
        let mut link = connected(&target, Purpose::Causal).await.map_err(Finding::refusal)?;
        let sql = if target.backend() == DbBackend::Postgres { POSTGRES } else { MARIADB };
        link.plain(sql).await.map_err(failed)?;
        Ok(Self::Server(link))
    }

    /// Which database it is.
    pub(super) fn backend(&self) -> DbBackend {
        match self {
            Self::File(_) => DbBackend::Sqlite,
            Self::Server(Link::MySql(_)) => DbBackend::MySql,
            Self::Server(Link::Postgres(_)) => DbBackend::Postgres,
        }
    }

    /// The rows that a statement gives.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<QueryResult>, StoreError> {
        match self {
            Self::File(db) => Ok(db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?),
            Self::Server(link) => link.rows(sql, Vec::new()).await.map_err(failed),
        }
    }

    /// All of it in one transaction, or nothing.
    pub(super) async fn write(&mut self, steps: &[Step]) -> Result<(), Unwritten> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.once(steps).await {
                Ok(()) => return Ok(()),
                Err(Ended::Gone) => return Err(Unwritten::Gone),
                Err(Ended::Again(_)) if tries < AGAIN => {}
                Err(Ended::Again(error) | Ended::Failed(error)) => return Err(Unwritten::Failed(error)),
            }
        }
    }

    async fn once(&mut self, steps: &[Step]) -> Result<(), Ended> {
        match self {
            Self::File(db) => {
                let transaction = db.begin().await.map_err(failed_file)?;
                for step in steps {
                    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, &step.sql, step.values.clone());
                    let done = transaction.execute_raw(statement).await.map_err(failed_file)?;
                    if step.rows.is_some_and(|rows| rows != done.rows_affected()) {
                        transaction.rollback().await.map_err(failed_file)?;
                        return Err(Ended::Gone);
                    }
                }
                transaction.commit().await.map_err(failed_file)
            }
            Self::Server(link) => {
                let done = transaction(link, steps).await;
                if done.is_err() {
                    // When this fails, the connection is gone, and with it the transaction.
                    drop(link.plain("ROLLBACK").await);
                }
                done
            }
        }
    }

    /// Brings what was written from SQLite's log into its file: left alone, the log would become as large as the import.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        if let Self::File(db) = self {
            db.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await?;
        }
        Ok(())
    }

    /// PostgreSQL does not look at the ids that rows bring when it gives new ones; the others do.
    pub(super) async fn go_on_after(&mut self, table: &str, column: &str) -> Result<(), StoreError> {
        match self {
            Self::Server(link @ Link::Postgres(_)) => {
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), COALESCE((SELECT MAX({column}) FROM \
                     {table}), 0) + 1, false)"
                );
                link.plain(&sql).await.map_err(failed)
            }
            Self::Server(_) | Self::File(_) => Ok(()),
        }
    }

    /// Ends in order.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::File(db) => Ok(db.close().await?),
            Self::Server(link) => link.close().await.map_err(failed),
        }
    }
}

/// How a transaction ended that did not commit.
enum Ended {
    Gone,
    Again(StoreError),
    Failed(StoreError),
}

async fn transaction(link: &mut Link, steps: &[Step]) -> Result<(), Ended> {
    link.plain("BEGIN").await.map_err(failed_server)?;
    for step in steps {
        let met = link.run(&step.sql, step.values.clone()).await.map_err(failed_server)?;
        if step.rows.is_some_and(|rows| rows != met) {
            return Err(Ended::Gone);
        }
    }
    link.plain("COMMIT").await.map_err(failed_server)
}

fn failed_file(error: sea_orm::DbErr) -> Ended {
    Ended::Failed(error.into())
}

fn failed_server(error: sqlx::Error) -> Ended {
    match nature(&error) {
        Nature::Again => Ended::Again(failed(error)),
        Nature::Taken | Nature::Refusing | Nature::Lost | Nature::NoRoom | Nature::Other => {
            Ended::Failed(failed(error))
        }
    }
}
