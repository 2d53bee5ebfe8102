//! What a claim looks at. What it reads is a hint; the commit is the claim.

use std::collections::HashSet;

use ffleet_protocol::{
    id::{AccountId, JobId, TaskId, Token, WorkerId},
    job::Need,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder,
    Statement,
};

use super::{Store, StoreError, needs::Needs, row};

/// A task that can be claimed now, as far as the read could tell.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Candidate {
    pub(crate) id: uuid::Uuid,
    pub(crate) job_id: uuid::Uuid,
    pub(crate) neg_priority: i64,
    pub(crate) fair_key: i64,
    pub(crate) need: i64,
}

/// Where a queue of one priority stands, in fair keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Queue {
    /// The lowest among claimable tasks.
    pub(crate) lowest: Option<i64>,
    /// The highest among the tasks that workers hold: how far service has come. Leases bound it.
    pub(crate) served: Option<i64>,
    /// The highest among the requester's unfinished tasks.
    pub(crate) own: Option<i64>,
}

impl Candidate {
    pub(crate) fn job(&self) -> JobId {
        JobId(self.job_id)
    }

    pub(crate) fn task(&self) -> TaskId {
        TaskId(self.id)
    }
}

/// Reads that one statement joins; SQLite takes at most 500.
const UNION: usize = 100;

impl Store {
    /// The first `limit` claimable tasks of each of these needs, after one that was looked at, merged in the order in which
    /// they are due.
    ///
    /// One short read of an index per need: `need IN (…) ORDER BY … LIMIT` would sort the whole backlog instead.
    pub(crate) async fn claimable(
        &self,
        needs: &[i64],
        limit: u64,
        after: Option<&Candidate>,
    ) -> Result<Vec<Candidate>, StoreError> {
        let db = self.hints();
        let backend = db.get_database_backend();
        // Numbers and hexadecimal digits of our own: nothing that a caller wrote becomes part of the statement.
        let after = after.map_or_else(String::new, |last| {
            let (priority, turn, id) = (last.neg_priority, last.fair_key, last.id.simple());
            match backend {
                // MariaDB finds its way in an index by comparisons of columns, not of rows.
                DbBackend::MySql => format!(
                    "AND neg_priority >= {priority} AND (neg_priority > {priority} OR fair_key > {turn} OR fair_key = {turn} \
                     AND id > x'{id}')"
                ),
                DbBackend::Postgres => {
                    format!("AND (neg_priority, fair_key, id) > ({priority}, {turn}, CAST('{id}' AS UUID))")
                }
                _ => format!("AND (neg_priority, fair_key, id) > ({priority}, {turn}, x'{id}')"),
            }
        });
        let mut found = Vec::new();
        for part in needs.chunks(UNION) {
            let sql = part
                .iter()
                .map(|need| {
                    format!(
                        "SELECT id, job_id, neg_priority, fair_key, need FROM (SELECT id, job_id, neg_priority, fair_key, \
                         claim_need AS need FROM tasks WHERE claim_need = {need} {after} ORDER BY neg_priority, fair_key, id LIMIT {limit}) AS n{need}"
                    )
                })
                .collect::<Vec<_>>()
                .join(" UNION ALL ");
            let statement = Statement::from_string(backend, sql);
            found.append(&mut Candidate::find_by_statement(statement).all(db).await?);
        }
        found.sort_by_key(|candidate| (candidate.neg_priority, candidate.fair_key, candidate.id));
        Ok(found)
    }

    /// The needs that tasks have which can be claimed now: one look into an index for each need.
    pub(crate) async fn wanted(&self) -> Result<HashSet<i64>, StoreError> {
        const SQL: &str =
            "SELECT n.id FROM needs AS n WHERE EXISTS (SELECT 1 FROM tasks AS t WHERE t.claim_need = n.id)";
        let db = self.hints();
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), SQL)).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
    }

    /// The tasks that a claim was granted already, with the number of each grant.
    pub(crate) async fn granted(
        &self,
        worker: &WorkerId,
        token: Token,
    ) -> Result<Vec<(TaskId, JobId, u32)>, StoreError> {
        let found = row::attempt::Entity::find()
            .filter(row::attempt::Column::WorkerId.eq(worker.as_str()))
            .filter(row::attempt::Column::Token.eq(token.0))
            .order_by_asc(row::attempt::Column::GrantNo)
            .all(self.reader())
            .await?;
        found
            .into_iter()
            .map(|row| Ok((TaskId(row.task_id), JobId(row.job_id), super::convert::count(row.epoch)?)))
            .collect()
    }

    /// Whether a worker holds a task that was lost with at least so many workers.
    pub(crate) async fn holds_suspect(&self, worker: &WorkerId, crashes: u32) -> Result<bool, StoreError> {
        use row::task::Column as C;
        let held = row::task::Entity::find().filter(C::WorkerId.eq(worker.as_str()));
        Ok(held.filter(C::Crashes.gte(i64::from(crashes))).count(self.reader()).await? > 0)
    }

    /// What the turn of a new task of this requester depends on.
    pub(crate) async fn queue(&self, who: &AccountId, priority: i32) -> Result<Queue, StoreError> {
        const SQL: &str = "SELECT \
            (SELECT fair_key FROM tasks WHERE claim_priority = ? ORDER BY fair_key LIMIT 1) AS lowest, \
            (SELECT MAX(fair_key) FROM tasks WHERE worker_id IS NOT NULL AND neg_priority = ?) AS served, \
            (SELECT fair_key FROM tasks WHERE requester = ? AND live_priority = ? ORDER BY fair_key DESC LIMIT 1) AS own";
        let db = self.reader();
        let priority = -i64::from(priority);
        let values = [priority.into(), priority.into(), who.as_str().into(), priority.into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), SQL, values);
        Ok(Queue::find_by_statement(statement).one(db).await?.unwrap_or_default())
    }

    /// How many claimable tasks of the same need go before this one.
    pub(crate) async fn ahead(&self, task: &row::task::Model) -> Result<u64, StoreError> {
        use row::task::Column as C;
        let same = sea_orm::Condition::all().add(C::NegPriority.eq(task.neg_priority));
        let before = sea_orm::Condition::any()
            .add(C::NegPriority.lt(task.neg_priority))
            .add(same.clone().add(C::FairKey.lt(task.fair_key)))
            .add(same.add(C::FairKey.eq(task.fair_key)).add(C::Id.lt(task.id)));
        Ok(row::task::Entity::find().filter(C::ClaimNeed.eq(task.need_id)).filter(before).count(self.reader()).await?)
    }

    /// The need of a row.
    pub(crate) async fn need(&self, needs: &Needs, id: i64) -> Result<Need, StoreError> {
        let all = needs.all(self).await?;
        all.iter()
            .find(|(known, _)| *known == id)
            .map(|(_, need)| need.clone())
            .ok_or_else(|| StoreError::corrupt(id, "no such need"))
    }
}
