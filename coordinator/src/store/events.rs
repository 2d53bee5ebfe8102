//! Reading the recorded transitions.

use ffleet_protocol::{
    Timestamp,
    event::Event,
    id::{AccountId, EventId, JobId, RequestId, TaskId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    Store, StoreError,
    convert::{count, micros, moment, word},
    row,
};

impl Store {
    /// Events after `after` and before `settled`, the oldest first.
    ///
    /// Ids are given before the commit, so that an event may appear behind one that was read already. Whoever reads only
    /// ids that are older than the longest wait for a commit misses none.
    pub(crate) async fn events(
        &self,
        after: EventId,
        settled: EventId,
        requester: Option<&AccountId>,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        use row::event::Column as C;
        let between = C::Id.gt(after.0).and(C::Id.lt(settled.0));
        let mut query = row::event::Entity::find().filter(between).order_by_asc(C::Id).limit(limit);
        if let Some(requester) = requester {
            query = query.filter(C::Requester.eq(requester.as_str()));
        }
        query.all(self.hints()).await?.into_iter().map(read).collect()
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
        let db = self.hints();
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
