//! One connection to a server, and what its errors mean.

use std::time::Duration;

use sea_orm::{DbBackend, QueryResult, Value, sea_query::Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, PgConnection,
    mysql::{MySqlConnectOptions, MySqlDatabaseError},
    postgres::PgConnectOptions,
};

use super::super::StoreError;

/// Waiting for the lock of a row that another transaction holds ends after so long; transactions here take milliseconds.
const LOCK_WAIT_S: u64 = 3;
/// The server itself gives up a statement after so long, so that none goes on whose caller has left.
const STATEMENT_S: u64 = 10;
/// A connection that takes longer to make is not made.
const CONNECTING: Duration = Duration::from_secs(3);

/// Where to connect, and as whom.
#[derive(Debug, Clone)]
pub(in crate::store) enum Target {
    /// MariaDB, one server or a Galera cluster.
    MySql(MySqlConnectOptions),
    /// PostgreSQL.
    Postgres(PgConnectOptions),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Purpose {
    /// Writing, or reading what may be a little old.
    Plain,
    /// Reading what was written anywhere before: on a Galera cluster each read waits until its node has applied that.
    Causal,
}

/// A connection.
#[derive(Debug)]
pub(in crate::store) enum Link {
    MySql(Box<MySqlConnection>),
    Postgres(Box<PgConnection>),
}

/// What an error says about the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Nature {
    /// Such a row is there already.
    Taken,
    /// Somebody else was in the way; the transaction is gone and can be run again. At COMMIT this is how Galera says that
    /// another node was faster.
    Again,
    /// The server takes nothing now; nothing has happened.
    Refusing,
    /// The connection is gone, and nobody knows what has happened.
    Lost,
    /// The server's disk is full.
    NoRoom,
    /// Anything else.
    Other,
}

impl Target {
    pub(in crate::store) fn backend(&self) -> DbBackend {
        match self {
            Self::MySql(_) => DbBackend::MySql,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// The server and the database, for people.
    pub(in crate::store) fn place(&self) -> String {
        let (host, port, database) = match self {
            Self::MySql(options) => (options.get_host(), options.get_port(), options.get_database()),
            Self::Postgres(options) => (options.get_host(), options.get_port(), options.get_database()),
        };
        format!("{host}:{port}/{}", database.unwrap_or_default())
    }
}

impl Link {
    /// Connects.
    pub(in crate::store) async fn open(target: &Target, purpose: Purpose) -> Result<Self, sqlx::Error> {
        let connecting = async {
            match target {
                Target::MySql(options) => {
                    let mut link = Self::MySql(Box::new(options.clone().disable_statement_logging().connect().await?));
                    link.plain(&format!(
                        "SET SESSION tx_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = {LOCK_WAIT_S}, \
                         max_statement_time = {STATEMENT_S}"
                    ))
                    .await?;
                    if purpose == Purpose::Causal {
                        link.causal(true).await?;
                    }
                    Ok(link)
                }
                Target::Postgres(options) => {
                    let mut link =
                        Self::Postgres(Box::new(options.clone().disable_statement_logging().connect().await?));
                    let (lock, statement) = (LOCK_WAIT_S * 1000, STATEMENT_S * 1000);
                    link.plain(&format!("SET lock_timeout = {lock}; SET statement_timeout = {statement}")).await?;
                    Ok(link)
                }
            }
        };
        let late = |_| sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
        tokio::time::timeout(CONNECTING, connecting).await.map_err(late)?
    }

    /// Has reads wait for what was committed at other nodes, or no longer.
    pub(super) async fn causal(&mut self, on: bool) -> Result<(), sqlx::Error> {
        if matches!(self, Self::Postgres(_)) {
            return Ok(());
        }
        match self.plain(&format!("SET SESSION wsrep_sync_wait = {}", u8::from(on))).await {
            // Built without Galera, there is no other node to wait for.
            Err(error) if number(&error) == Some(UNKNOWN_VARIABLE) => Ok(()),
            other => other,
        }
    }

    /// Runs a statement with a `?` for each value; says how many rows it met.
    pub(in crate::store) async fn run(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, sqlx::Error> {
        let values = SqlxValues(Values(values));
        match self {
            Self::MySql(link) => {
                let done = sqlx::query_with(AssertSqlSafe(sql.to_owned()), values).execute(&mut **link).await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(link) => {
                let done = sqlx::query_with(AssertSqlSafe(numbered(sql)), values).execute(&mut **link).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// The rows that a statement gives.
    pub(in crate::store) async fn rows(
        &mut self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        let values = SqlxValues(Values(values));
        match self {
            Self::MySql(link) => {
                let rows = sqlx::query_with(AssertSqlSafe(sql.to_owned()), values).fetch_all(&mut **link).await?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
            Self::Postgres(link) => {
                let rows = sqlx::query_with(AssertSqlSafe(numbered(sql)), values).fetch_all(&mut **link).await?;
                Ok(rows.into_iter().map(Into::into).collect())
            }
        }
    }

    /// Runs text without values: what begins and ends transactions, and settings.
    pub(in crate::store) async fn plain(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::MySql(link) => sqlx::raw_sql(sql).execute(&mut **link).await.map(drop),
            Self::Postgres(link) => sqlx::raw_sql(sql).execute(&mut **link).await.map(drop),
        }
    }

    /// Ends the connection in order.
    pub(in crate::store) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::MySql(link) => link.close().await,
            Self::Postgres(link) => link.close().await,
        }
    }
}

/// PostgreSQL numbers its places. Statements of the query builder have numbers already and no `?`; ours hold no text in
/// quotes with one.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        text.push_str(&format!("${}{part}", index + 1));
    }
    text
}

const UNKNOWN_VARIABLE: u16 = 1193;

/// The number that MariaDB gives its errors.
fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// What an error means for what was asked. Numbers: MariaDB's list of error codes; letters and digits: PostgreSQL, appendix A.
pub(in crate::store) fn nature(error: &sqlx::Error) -> Nature {
    if let Some(number) = number(error) {
        return match number {
            1062 | 1586 => Nature::Taken,
            1213 | 1205 | 1020 => Nature::Again,
            // Not ready for the application (Galera without quorum), too many connections, read-only.
            1047 | 1040 | 1203 | 1290 | 1792 | 1836 => Nature::Refusing,
            // Shut down, failed within COMMIT, killed, interrupted, out of time.
            1053 | 1180 | 1927 | 1317 | 1969 | 2006 | 2013 => Nature::Lost,
            1021 | 1114 => Nature::NoRoom,
            1030 if error.to_string().contains("error 28") => Nature::NoRoom,
            _ => Nature::Other,
        };
    }
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    match (error, code.as_str()) {
        (sqlx::Error::Database(_), "23505") => Nature::Taken,
        (sqlx::Error::Database(_), "40001" | "40P01" | "55P03") => Nature::Again,
        (sqlx::Error::Database(_), "53300" | "25006" | "57P03") => Nature::Refusing,
        (sqlx::Error::Database(_), "57014" | "57P01" | "57P02") => Nature::Lost,
        (sqlx::Error::Database(_), "53100") => Nature::NoRoom,
        (sqlx::Error::Database(_), code) if code.starts_with("08") => Nature::Lost,
        (sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed, _) => {
            Nature::Lost
        }
        _ => Nature::Other,
    }
}

/// The same for whoever asked.
pub(in crate::store) fn failed(error: sqlx::Error) -> StoreError {
    match nature(&error) {
        Nature::Again | Nature::Refusing | Nature::Lost => StoreError::Unavailable(error.to_string()),
        Nature::NoRoom => StoreError::NoRoom(error.to_string()),
        Nature::Taken | Nature::Other => StoreError::Other(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered() {
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
        assert_eq!(numbered("a = ? AND b IN (?, ?)"), "a = $1 AND b IN ($2, $3)");
    }

    #[test]
    fn a_broken_connection_leaves_the_outcome_open() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(nature(&sqlx::Error::Io(reset)), Nature::Lost);
        assert_eq!(nature(&sqlx::Error::RowNotFound), Nature::Other);
    }
}
