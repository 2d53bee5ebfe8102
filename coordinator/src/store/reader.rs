//! Where the store reads: SQLite's pool, or the connections to a server.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

use super::{Meter, server::Links};
use std::sync::Arc;

/// Reads, and nothing else: what writes are is said in `commit`.
#[derive(Debug, Clone)]
pub(crate) enum Reader {
    /// SQLite.
    File(DatabaseConnection),
    /// A server.
    Server(DbBackend, Links, Arc<Meter>),
}

impl Reader {
    async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::File(db) => db.query_all_raw(statement).await,
            Self::Server(_, links, meter) => {
                meter.asked();
                let values = statement.values.map(|values| values.0).unwrap_or_default();
                links.rows(&statement.sql, &values).await
            }
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::File(_) => DbBackend::Sqlite,
            Self::Server(backend, ..) => *backend,
        }
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(reads_only())
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(reads_only())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::File(db) => db.query_one_raw(statement).await,
            Self::Server(..) => Ok(self.rows(statement).await?.into_iter().next()),
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.rows(statement).await
    }
}

fn reads_only() -> DbErr {
    DbErr::Exec(RuntimeErr::Internal("this connection only reads".to_owned()))
}
