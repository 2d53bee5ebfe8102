//! Where an export reads: one moment of a database, over one connection.

use ffleet_settings::SecretReaders;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, QueryResult, Statement, TransactionTrait,
    Value,
};

use super::super::{
    StoreError, open,
    server::{Finding, Link, Purpose, connected, failed, target},
    tables::{APPLIED, Tables, ours, versions},
};
use crate::config::Database;

/// A moment of a database. It lasts as long as its connection.
pub(super) enum Source {
    /// SQLite. Dropping its transaction first gives the connection back.
    File(DatabaseTransaction, DatabaseConnection),
    /// A server.
    Server(Link),
}

/// A page of rows takes a server milliseconds; a server that is busy gets more, as nobody's request waits for it.
const MARIADB: [&str; 2] = [
    "SET SESSION tx_isolation = 'REPEATABLE-READ', max_statement_time = 120, idle_transaction_timeout = 0, \
     idle_readonly_transaction_timeout = 0",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
];
/// The moment is that of the first read.
const POSTGRES: [&str; 2] = [
    "SET statement_timeout = 120000; SET idle_in_transaction_session_timeout = 0",
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
];

impl Source {
    /// Begins to look. Nothing is changed, neither then nor later.
    pub(super) async fn open(database: &Database, readers: SecretReaders) -> Result<Self, StoreError> {
        if !database.is_server() {
            let path = open::named(&database.url)?;
            open::refuse_other_files(path.as_ref()).map_err(Finding::refusal)?;
            let db = open::looking(path).await?;
            return Ok(Self::File(db.begin().await?, db));
        }
        let target = target(database, readers)?;
        // On a cluster: with everything that was committed before, at whichever node.
        let mut link = connected(&target, Purpose::Causal).await.map_err(Finding::refusal)?;
        let begin = if target.backend() == DbBackend::Postgres { POSTGRES } else { MARIADB };
        for sql in begin {
            link.plain(sql).await.map_err(failed)?;
        }
        Ok(Self::Server(link))
    }

    /// Which database it is.
    pub(super) fn backend(&self) -> DbBackend {
        match self {
            Self::File(..) => DbBackend::Sqlite,
            Self::Server(Link::MySql(_)) => DbBackend::MySql,
            Self::Server(Link::Postgres(_)) => DbBackend::Postgres,
        }
    }

    /// The rows that a statement gives.
    pub(super) async fn rows(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        match self {
            Self::File(transaction, _) => {
                let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
                Ok(transaction.query_all_raw(statement).await?)
            }
            Self::Server(link) => link.rows(sql, values).await.map_err(failed),
        }
    }

    /// The changes of our tables that were made; refuses the tables of others.
    pub(super) async fn applied(&mut self, place: &str) -> Result<Vec<String>, StoreError> {
        let tables = self.texts(Tables::of(self.backend()).0).await?;
        if !ours(place, &tables).map_err(Finding::refusal)? {
            return Ok(Vec::new());
        }
        let applied = self.texts(APPLIED).await?;
        match versions(place, &applied).map_err(Finding::refusal)?.newer.first() {
            None => Ok(applied),
            // This version works with these tables and does not know all that is in them.
            Some(newer) => Err(Finding::fatal(
                format!("{place} has tables of a newer version ({newer}), of which this one would leave something out"),
                "export with that version",
            )
            .refusal()),
        }
    }

    async fn texts(&mut self, sql: &str) -> Result<Vec<String>, StoreError> {
        let rows = self.rows(sql, Vec::new()).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
    }

    /// Ends in order.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::File(transaction, db) => {
                transaction.rollback().await?;
                Ok(db.close().await?)
            }
            Self::Server(link) => link.close().await.map_err(failed),
        }
    }
}
