//! What time makes superfluous: found over an index, removed in bounded batches.

use ffleet_protocol::{
    Timestamp,
    id::{JobId, TaskId},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Alias, DeleteStatement, Expr, ExprTrait, Query, SimpleExpr},
};

use super::{
    Store, StoreError,
    change::Change,
    commit::{Commit, Guard},
    convert::micros,
    listing::id_at,
    row,
    tasks::is_blocked,
};

impl Store {
    /// Tasks whose lease is over.
    pub(crate) async fn lapsed(&self, now: Timestamp, limit: u64) -> Result<Vec<(TaskId, JobId)>, StoreError> {
        let over = Condition::all().add(row::task::Column::LeaseUntil.lte(micros(now)));
        self.task_ids(over, row::task::Column::LeaseUntil, limit).await
    }

    /// Tasks that a worker holds.
    pub(crate) async fn held_by(&self, worker: &str, limit: u64) -> Result<Vec<(TaskId, JobId)>, StoreError> {
        let held = Condition::all().add(row::task::Column::WorkerId.eq(worker));
        self.task_ids(held, row::task::Column::Id, limit).await
    }

    /// Tasks that have waited longer for a worker than their job allows.
    pub(crate) async fn overdue(&self, now: Timestamp, limit: u64) -> Result<Vec<(TaskId, JobId)>, StoreError> {
        let overdue = Condition::all()
            .add(row::task::Column::QueueDeadline.lte(micros(now)))
            .add(row::task::Column::State.eq("pending"));
        self.task_ids(overdue, row::task::Column::QueueDeadline, limit).await
    }

    /// Tasks that wait for other jobs, from `after` on.
    pub(crate) async fn blocked(&self, after: TaskId, limit: u64) -> Result<Vec<(TaskId, JobId)>, StoreError> {
        let blocked = Condition::all().add(is_blocked()).add(row::task::Column::Id.gt(after.0));
        self.task_ids(blocked, row::task::Column::Id, limit).await
    }

    /// Monitored jobs whose client has gone silent.
    pub(crate) async fn abandoned(&self, now: Timestamp, limit: u64) -> Result<Vec<JobId>, StoreError> {
        use row::job::Column as C;
        self.job_ids(Condition::all().add(C::ClientUntil.lte(micros(now))), C::ClientUntil, limit).await
    }

    /// Ended jobs whose time is over.
    pub(crate) async fn expired(&self, now: Timestamp, limit: u64) -> Result<Vec<JobId>, StoreError> {
        self.job_ids(over(now), row::job::Column::PurgeAt, limit).await
    }

    async fn job_ids(&self, filter: Condition, order: row::job::Column, limit: u64) -> Result<Vec<JobId>, StoreError> {
        let found: Vec<uuid::Uuid> = row::job::Entity::find()
            .select_only()
            .column(row::job::Column::Id)
            .filter(filter)
            .order_by_asc(order)
            .limit(limit)
            .into_tuple()
            .all(self.hints())
            .await?;
        Ok(found.into_iter().map(JobId).collect())
    }

    /// Makes tasks claimable whose waiting time is over; says which needs they have, one for each.
    pub(crate) async fn ripen(&self, now: Timestamp, limit: u64) -> Result<Vec<i64>, StoreError> {
        use row::task::Column as C;
        let ripe: Vec<(uuid::Uuid, i64, i64, i64)> = row::task::Entity::find()
            .select_only()
            .columns([C::Id, C::NeedId, C::NegPriority, C::Version])
            .filter(C::NotBefore.lte(micros(now)))
            .order_by_asc(C::NotBefore)
            .limit(limit)
            .into_tuple()
            .all(self.hints())
            .await?;
        let commits = ripe.iter().map(|task| self.commit(ripened(*task)));
        let mut needs = Vec::new();
        for (done, (_, need, ..)) in futures_util::future::join_all(commits).await.into_iter().zip(&ripe) {
            match done {
                Ok(()) => needs.push(*need),
                // Claimed, canceled or ripened by somebody else meanwhile.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(needs)
    }

    /// Removes nonces that no signature can carry any more; says how many may be left, at most `limit` went.
    pub(crate) async fn forget_nonces(&self, now: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use row::nonce::Column as C;
        let old: Vec<(String, String)> = row::nonce::Entity::find()
            .select_only()
            .columns([C::KeyId, C::Nonce])
            .filter(C::ExpiresAt.lte(micros(now)))
            .limit(limit)
            .into_tuple()
            .all(self.hints())
            .await?;
        let each = old
            .iter()
            .map(|(key, nonce)| Expr::col(C::KeyId).eq(key.as_str()).and(Expr::col(C::Nonce).eq(nonce.as_str())));
        self.remove(row::nonce::Entity, each.collect()).await
    }

    /// Removes idempotency keys older than their memory.
    pub(crate) async fn forget_keys(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use row::idempotency::Column as C;
        let old: Vec<(String, String)> = row::idempotency::Entity::find()
            .select_only()
            .columns([C::AccountId, C::IdempotencyKey])
            .filter(C::JobId.lt(id_at(before)))
            .limit(limit)
            .into_tuple()
            .all(self.hints())
            .await?;
        let each = old.iter().map(|(account, key)| {
            Expr::col(C::AccountId).eq(account.as_str()).and(Expr::col(C::IdempotencyKey).eq(key.as_str()))
        });
        self.remove(row::idempotency::Entity, each.collect()).await
    }

    async fn remove<E: EntityTrait>(&self, table: E, each: Vec<SimpleExpr>) -> Result<u64, StoreError> {
        let found = each.len() as u64;
        let mut commit = Commit::default();
        for one in each {
            commit.deletes.push(Query::delete().from_table(Alias::new(table.table_name())).and_where(one).to_owned());
        }
        if found > 0 {
            self.commit(commit).await?;
        }
        Ok(found)
    }

    /// Removes at most `limit` chunks of the output of these jobs; says how many there were.
    pub(crate) async fn purge_output(&self, jobs: &[JobId], limit: u64) -> Result<u64, StoreError> {
        use row::chunk::Column as C;
        let tasks = Query::select()
            .column(row::task::Column::Id)
            .from(row::task::Entity)
            .and_where(Expr::col(row::task::Column::JobId).is_in(jobs.iter().map(|id| id.0)))
            .to_owned();
        let found: Vec<(uuid::Uuid, i64, i64, String)> = row::chunk::Entity::find()
            .select_only()
            .columns([C::TaskId, C::Epoch, C::BatchFirst, C::Stream])
            .filter(C::TaskId.in_subquery(tasks))
            .limit(limit)
            .into_tuple()
            .all(self.hints())
            .await?;
        let each = found.iter().map(|(task, epoch, first, stream)| {
            Expr::col(C::TaskId)
                .eq(*task)
                .and(Expr::col(C::Epoch).eq(*epoch))
                .and(Expr::col(C::BatchFirst).eq(*first))
                .and(Expr::col(C::Stream).eq(stream.as_str()))
        });
        self.remove(row::chunk::Entity, each.collect()).await
    }

    /// Removes every row of these jobs. Their output goes first, in batches of its own.
    pub(crate) async fn purge(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let ids: Vec<uuid::Uuid> = jobs.iter().map(|id| id.0).collect();
        let tasks = || {
            Query::select()
                .column(row::task::Column::Id)
                .from(row::task::Entity)
                .and_where(Expr::col(row::task::Column::JobId).is_in(ids.clone()))
                .to_owned()
        };
        let from = |table: &str, condition: SimpleExpr| -> DeleteStatement {
            Query::delete().from_table(Alias::new(table)).and_where(condition).to_owned()
        };
        let job = |column: &str| Expr::col(Alias::new(column)).is_in(ids.clone());
        let task = || Expr::col(Alias::new("task_id")).in_subquery(tasks());
        let deletes = vec![
            from("log_chunks", task()),
            from("task_output", task()),
            from("task_deps", task()),
            from("attempts", job("job_id")),
            from("events", job("job_id")),
            from("idempotency", job("job_id")),
            from("job_labels", job("job_id")),
            from("job_identities", job("job_id")),
            from("job_specs", job("job_id")),
            from("tasks", job("job_id")),
            from("jobs", job("id")),
        ];
        self.commit(Commit { deletes, ..Commit::default() }).await
    }
}

/// Ended jobs whose time is over. What a blocked job still waits for is not forgotten, or it could not tell a good end from
/// none.
fn over(now: Timestamp) -> Condition {
    use row::{job::Column as C, task::Column as T, task_dep::Column as D};
    let waited_for = Query::select()
        .column((row::task_dep::Entity, D::JobId))
        .from(row::task_dep::Entity)
        .inner_join(row::task::Entity, Expr::col((row::task_dep::Entity, D::TaskId)).equals((row::task::Entity, T::Id)))
        .and_where(is_blocked())
        .to_owned();
    Condition::all().add(C::PurgeAt.lte(micros(now))).add(C::Id.not_in_subquery(waited_for))
}

fn ripened((id, need, neg_priority, version): (uuid::Uuid, i64, i64, i64)) -> Commit {
    use row::task::Column as C;
    let change = Change::of("tasks", C::Id, id)
        .next(version)
        .set(C::ClaimNeed, need)
        .set(C::ClaimPriority, neg_priority)
        .set(C::NotBefore, Option::<i64>::None);
    Commit { guards: vec![Guard::Task(TaskId(id), version)], changes: vec![change], ..Commit::default() }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, QueryTrait, Statement};

    use super::*;

    #[tokio::test]
    async fn forgetting_does_not_read_all_that_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/ffleet.db", folder.path().display())).await.unwrap();
        let db = store.reader();
        let read = row::job::Entity::find().filter(over(Timestamp::now())).limit(5).build(db.get_database_backend());
        let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", read.sql), ..read };
        let rows = db.query_all_raw(explain).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
        assert!(plan.iter().any(|step| step.contains("jobs_purge (purge_at<?)")), "{plan:?}");
        let reads_all = |step: &&String| step.starts_with("SCAN") && !step.contains("tasks_blocked");
        assert_eq!(plan.iter().find(reads_all), None, "{plan:?}");
    }
}
