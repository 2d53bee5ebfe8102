//! The databases of the suite, and the stores over them.

use std::{
    ops::Deref,
    sync::atomic::{AtomicUsize, Ordering},
};

use ffleet_protocol::id::JobId;
use ffleet_servers::{Galera, MariaDb, Postgres};
use tokio::task::spawn_blocking;

use crate::store::Store;

/// Stores over the same database, each at a node of its own where it has several. Each verb goes to the next one: whatever
/// is read was written elsewhere.
pub(super) struct Nodes {
    stores: Vec<Store>,
    next: AtomicUsize,
}

impl Nodes {
    pub(super) fn of(stores: Vec<Store>) -> Self {
        Self { stores, next: AtomicUsize::new(0) }
    }

    /// Waits until every node has applied what was committed anywhere: what is only a hint may be a moment old.
    pub(super) async fn settled(&self) {
        for store in &self.stores {
            store.job(JobId::new()).await.unwrap();
        }
    }
}

impl Deref for Nodes {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.stores[self.next.fetch_add(1, Ordering::Relaxed) % self.stores.len()]
    }
}

/// A new database of MariaDB.
pub(super) async fn mariadb() -> String {
    spawn_blocking(|| MariaDb::shared().database()).await.unwrap()
}

/// A new database of a cluster, by way of each of its nodes.
pub(super) async fn galera() -> [String; 3] {
    spawn_blocking(|| Galera::shared().database()).await.unwrap()
}

/// A new database of PostgreSQL.
pub(super) async fn postgres() -> String {
    spawn_blocking(|| Postgres::shared().database()).await.unwrap()
}
