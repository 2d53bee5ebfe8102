//! Needs: distinct sets of requirements. They are few and never change, so every coordinator remembers them.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicU64, Ordering},
};

use ffleet_protocol::job::Need;
use sea_orm::{EntityTrait, PaginatorTrait, QueryOrder};

use super::{
    Store, StoreError,
    commit::{Commit, Conflicting, Guard},
    convert::micros,
    row,
};
use crate::domain::{need_from_key, need_key};

/// What is known of the table of needs, by row.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    known: RwLock<Arc<Vec<(i64, Need)>>>,
    /// Rows that ask for what only a newer version knows. Tasks with those needs are left to its coordinators.
    beyond: AtomicU64,
}

impl Needs {
    /// Every need known so far.
    pub(crate) fn known(&self) -> Arc<Vec<(i64, Need)>> {
        match self.known.read() {
            Ok(known) => known.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    fn put(&self, known: Arc<Vec<(i64, Need)>>) {
        match self.known.write() {
            Ok(mut held) => *held = known,
            Err(poisoned) => *poisoned.into_inner() = known,
        }
    }

    /// Every need, with those that another coordinator may have added. They are counted: on a cluster each node gives ids of
    /// its own, so that a new one need not have the highest.
    pub(crate) async fn all(&self, store: &Store) -> Result<Arc<Vec<(i64, Need)>>, StoreError> {
        let known = self.known();
        let beyond = self.beyond.load(Ordering::Relaxed);
        if row::need::Entity::find().count(store.reader()).await? == known.len() as u64 + beyond {
            return Ok(known);
        }
        let rows = row::need::Entity::find().order_by_asc(row::need::Column::Id).all(store.reader()).await?;
        let mut all = Vec::with_capacity(rows.len());
        let mut beyond = 0;
        for row in rows {
            match need_from_key(&row.canonical) {
                Some(need) => all.push((row.id, need)),
                None => beyond += 1,
            }
        }
        if self.beyond.swap(beyond, Ordering::Relaxed) < beyond {
            tracing::warn!(
                needs = beyond,
                "some jobs need what only a newer version of the coordinator knows; they wait for one of that version"
            );
        }
        let all = Arc::new(all);
        self.put(all.clone());
        Ok(all)
    }

    /// The row of a need, made if it is not there. `None` when the installation has `limit` others already.
    pub(crate) async fn id(&self, store: &Store, need: &Need, limit: usize) -> Result<Option<i64>, StoreError> {
        let find = |all: &[(i64, Need)]| all.iter().find(|(_, known)| known == need).map(|(id, _)| *id);
        if let Some(id) = find(&self.known()) {
            return Ok(Some(id));
        }
        let all = self.all(store).await?;
        if let Some(id) = find(&all) {
            return Ok(Some(id));
        }
        if all.len() >= limit {
            return Ok(None);
        }
        store.insert_need(need_key(need)).await?;
        Ok(find(&self.all(store).await?))
    }
}

impl Store {
    /// The row's id is the database's to give, which the rows of a commit cannot say: it goes in as a statement.
    async fn insert_need(&self, canonical: String) -> Result<(), StoreError> {
        use row::need::Column as C;
        let mut commit = Commit::default();
        commit.guards.push(Guard::FreshNeed(canonical.clone()));
        let now = micros(self.now().await?);
        let mut insert = sea_orm::sea_query::Query::insert();
        insert
            .into_table(row::need::Entity)
            .columns([C::Canonical, C::CreatedAt])
            .values_panic([canonical.into(), now.into()]);
        commit.inserts.push(insert);
        match self.commit(commit).await {
            // Somebody else was faster: the need is there, which is all that was wanted.
            Ok(()) | Err(StoreError::Conflict(Conflicting::Need)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
