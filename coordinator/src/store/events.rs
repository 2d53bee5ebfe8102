//! Reading the recorded transitions.

use ffleet_protocol::{
    Timestamp,
    event::Event,
    id::{AccountId, EventId, JobId, RequestId, TaskId},
};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    Store, StoreError,
    convert::{count, micros, moment, word},
    row,
};

impl Store {
    /// Events after `after`, as far as they are older than `settled`, the oldest first.
    ///
    /// Ids are given before the commit, so that an event may appear behind one that was read already. Whoever reads only
    /// what is older than the longest transaction misses none.
    pub(crate) async fn events(
        &self,
        after: Option<EventId>,
        settled: Timestamp,
        requester: Option<&AccountId>,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        use row::event::Column as C;
        let mut query = row::event::Entity::find().filter(C::At.lte(micros(settled))).order_by_asc(C::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(C::Id.gt(after.0));
        }
        if let Some(requester) = requester {
            query = query.filter(C::Requester.eq(requester.as_str()));
        }
        query.all(self.reader()).await?.into_iter().map(read).collect()
    }

    /// The id below which every event was recorded before `at`.
    pub(crate) async fn newest_event(&self, before: Timestamp) -> Result<Option<EventId>, StoreError> {
        use row::event::Column as C;
        let found: Option<uuid::Uuid> = row::event::Entity::find()
            .select_only()
            .column(C::Id)
            .filter(C::At.lte(micros(before)))
            .order_by_desc(C::At)
            .order_by_desc(C::Id)
            .limit(1)
            .into_tuple()
            .one(self.reader())
            .await?;
        Ok(found.map(EventId))
    }
}

/// A transition that another coordinator wrote, as far as bells need to know.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Elsewhere {
    pub(crate) id: uuid::Uuid,
    pub(crate) job_id: uuid::Uuid,
    pub(crate) to_state: String,
    pub(crate) worker_id: Option<String>,
    pub(crate) need_id: i64,
}

impl Store {
    /// Transitions that other coordinators wrote at or after `since`, at most `limit`. They may be committed late, so
    /// whoever tails looks a little way back each time and forgets what it has seen.
    pub(crate) async fn elsewhere(&self, since: Timestamp, limit: u64) -> Result<Vec<Elsewhere>, StoreError> {
        use row::{event::Column as E, task::Column as T};
        let mut query = Query::select();
        query
            .columns([(row::event::Entity, E::Id), (row::event::Entity, E::JobId)])
            .columns([(row::event::Entity, E::ToState), (row::event::Entity, E::WorkerId)])
            .column((row::task::Entity, T::NeedId))
            .from(row::event::Entity)
            .inner_join(
                row::task::Entity,
                Expr::col((row::event::Entity, E::TaskId)).equals((row::task::Entity, T::Id)),
            )
            .and_where(Expr::col((row::event::Entity, E::At)).gte(micros(since)))
            .and_where(Expr::col((row::event::Entity, E::Source)).ne(self.source))
            .order_by((row::event::Entity, E::At), sea_orm::sea_query::Order::Asc)
            .limit(limit);
        let db = self.reader();
        Ok(Elsewhere::find_by_statement(db.get_database_backend().build(&query)).all(db).await?)
    }
}

fn read(row: row::event::Model) -> Result<Event, StoreError> {
    Ok(Event {
        id: EventId(row.id),
        job: JobId(row.job_id),
        task: TaskId(row.task_id),
        requester: word(&row.requester)?,
        epoch: count(row.epoch)?,
        from: row.from_state.as_deref().map(word).transpose()?,
        to: word(&row.to_state)?,
        what: row.what,
        actor: row.actor,
        worker: row.worker_id.as_deref().map(word).transpose()?,
        request_id: RequestId(row.request_id),
        at: moment(row.at)?,
    })
}
