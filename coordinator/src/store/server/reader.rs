//! Reading from a server: a pool of connections, a deadline for each read, and another try when a connection turns out to be
//! gone.

use std::{sync::Arc, time::Duration};

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleResult};
use sea_orm::{DbErr, QueryResult, RuntimeErr, Value};
use tokio::time::timeout;

use super::link::{Link, Nature, Purpose, Target, nature};

/// A read that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that read.
#[derive(Debug, Clone)]
pub(crate) struct Links(Pool<Making>);

#[derive(Debug)]
struct Making {
    target: Arc<Target>,
    purpose: Purpose,
}

impl Manager for Making {
    type Type = Link;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Link, sqlx::Error> {
        Link::open(&self.target, self.purpose).await
    }

    /// One that failed was not put back, and asking each time would cost as much as most reads.
    async fn recycle(&self, _: &mut Link, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}

impl Links {
    /// At most so many connections, made when they are needed.
    pub(in crate::store) fn new(target: Arc<Target>, purpose: Purpose, most: usize) -> Result<Self, DbErr> {
        let pool = Pool::builder(Making { target, purpose }).max_size(most).build();
        pool.map(Self).map_err(|error| DbErr::Custom(error.to_string()))
    }

    /// The rows that a statement gives.
    pub(in crate::store) async fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<QueryResult>, DbErr> {
        match self.once(sql, values).await {
            Err(error) if matches!(nature(&error), Nature::Lost | Nature::Again | Nature::Refusing) => {
                // When a server has gone away, all connections to it have.
                self.0.retain(|_, _| false);
                self.once(sql, values).await.map_err(described)
            }
            other => other.map_err(described),
        }
    }

    async fn once(&self, sql: &str, values: &[Value]) -> Result<Vec<QueryResult>, sqlx::Error> {
        let late = |_| sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
        let mut link = match timeout(PATIENCE, self.0.get()).await.map_err(late)? {
            Ok(link) => link,
            Err(PoolError::Backend(error)) => return Err(error),
            Err(other) => return Err(sqlx::Error::Protocol(other.to_string())),
        };
        let found = timeout(PATIENCE, link.rows(sql, values.to_vec())).await.map_err(late).flatten();
        if found.is_err() {
            // What is left of the answer would be taken for the next one's.
            drop(Object::take(link));
        }
        found
    }
}

fn described(error: sqlx::Error) -> DbErr {
    match nature(&error) {
        Nature::Lost | Nature::Again | Nature::Refusing => DbErr::Conn(RuntimeErr::Internal(error.to_string())),
        Nature::Taken | Nature::NoRoom | Nature::Other => DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))),
    }
}
