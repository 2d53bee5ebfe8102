//! What a live view reads. Every list is the head of an index, so that it costs the same whatever lies behind.

use std::collections::HashMap;

use ffleet_protocol::{
    Timestamp,
    id::{AccountId, JobId, TaskId, WorkerId},
    log::Progress,
    state::TaskStatus,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, Order, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    convert::{count, from_json, moment, moment_opt, word},
    jobs::JobRow,
    row::{self, task::Column as C},
    tasks::is_blocked,
};

/// Below every number that a column can hold. `IS NOT NULL` would have the whole index read, "above this" only the part
/// of it that is no NULL.
const LOWEST: i64 = i64::MIN;

/// A task, as far as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) task: TaskId,
    pub(crate) job: JobId,
    pub(crate) requester: AccountId,
    pub(crate) status: TaskStatus,
    pub(crate) epoch: u32,
    pub(crate) priority: i32,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) created_at: Timestamp,
}

#[derive(FromQueryResult)]
struct HeadRow {
    id: Uuid,
    job_id: Uuid,
    requester: String,
    state: String,
    epoch: i64,
    neg_priority: i64,
    not_before: Option<i64>,
    worker_id: Option<String>,
    created_at: i64,
}

impl Head {
    fn read(row: &HeadRow) -> Result<Self, StoreError> {
        Ok(Self {
            task: TaskId(row.id),
            job: JobId(row.job_id),
            requester: word(&row.requester)?,
            status: word(&row.state)?,
            epoch: count(row.epoch)?,
            priority: i32::try_from(-row.neg_priority).map_err(|error| StoreError::corrupt(row.id, error))?,
            not_before: moment_opt(row.not_before)?,
            worker: row.worker_id.as_deref().map(word).transpose()?,
            created_at: moment(row.created_at)?,
        })
    }
}

fn heads() -> Select<row::task::Entity> {
    row::task::Entity::find().select_only().columns([
        C::Id,
        C::JobId,
        C::Requester,
        C::State,
        C::Epoch,
        C::NegPriority,
        C::NotBefore,
        C::WorkerId,
        C::CreatedAt,
    ])
}

/// Tasks that workers hold; there are never more of them than slots.
fn held() -> Select<row::task::Entity> {
    heads().filter(C::WorkerId.gt(""))
}

/// A requester's unfinished tasks in the order of their turns.
fn unfinished_of(who: &AccountId) -> Select<row::task::Entity> {
    heads()
        .filter(C::Requester.eq(who.as_str()))
        .filter(C::LivePriority.gt(LOWEST))
        .order_by_asc(C::LivePriority)
        .order_by_asc(C::FairKey)
}

/// Everybody's waiting tasks: those that can be claimed, those that wait for a moment, those that wait for other jobs.
fn waiting_of_all() -> [Select<row::task::Entity>; 3] {
    [
        heads().filter(C::ClaimPriority.gt(LOWEST)).order_by_asc(C::ClaimPriority).order_by_asc(C::FairKey),
        heads().filter(C::NotBefore.gt(LOWEST)).order_by_asc(C::NotBefore),
        heads().filter(is_blocked()).order_by_asc(C::Id),
    ]
}

/// The latest ends.
fn ended(who: Option<&AccountId>) -> Select<row::job::Entity> {
    use row::job::Column as J;
    let all = row::job::Entity::find().filter(J::EndedAt.gt(LOWEST)).order_by(J::EndedAt, Order::Desc);
    match who {
        Some(who) => all.filter(J::Requester.eq(who.as_str())),
        None => all,
    }
}

/// Counts the rows of tasks that `wanted` lets through, `most` of them at most.
fn counted(wanted: sea_orm::sea_query::SimpleExpr, most: u64) -> SelectStatement {
    let some = Query::select().expr(Expr::val(1)).from(row::task::Entity).and_where(wanted).limit(most).to_owned();
    Query::select().expr_as(Func::count(Expr::val(1)), "n").from_subquery(some, Alias::new("counted")).to_owned()
}

fn counts_of_waiting(who: Option<&AccountId>, most: u64) -> Vec<SelectStatement> {
    match who {
        Some(who) => {
            vec![counted(Expr::col(C::Requester).eq(who.as_str()).and(Expr::col(C::LivePriority).gt(LOWEST)), most)]
        }
        None => {
            let set = |column: C| Expr::col(column).gt(LOWEST);
            [set(C::ClaimPriority), set(C::NotBefore), is_blocked()].map(|wanted| counted(wanted, most)).into()
        }
    }
}

#[derive(FromQueryResult)]
struct Counted {
    n: i64,
}

impl Store {
    /// Every task that a worker holds, the oldest first.
    pub(crate) async fn held(&self) -> Result<Vec<Head>, StoreError> {
        let mut held = self.heads(held()).await?;
        held.sort_by_key(|head| (head.created_at, head.task));
        Ok(held)
    }

    /// The first `limit` waiting tasks of everybody, or of one requester, who has `held` tasks with workers.
    pub(crate) async fn waiting(
        &self,
        who: Option<&AccountId>,
        limit: u64,
        held: u64,
    ) -> Result<Vec<Head>, StoreError> {
        let mut found = Vec::new();
        match who {
            // A condition that leaves held tasks out could make the database take another index, and sort.
            Some(who) => found = self.heads(unfinished_of(who).limit(limit + held)).await?,
            None => {
                for part in waiting_of_all() {
                    let left = limit.saturating_sub(found.len() as u64);
                    if left > 0 {
                        found.append(&mut self.heads(part.limit(left)).await?);
                    }
                }
            }
        }
        found.retain(|head| matches!(head.status, TaskStatus::Pending | TaskStatus::Blocked));
        // Stable, so that within each of the three the order of the read stays.
        found.sort_by_key(|head| (head.status == TaskStatus::Blocked, head.not_before));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// How many tasks of everybody, or of one requester who has `held` tasks with workers, wait; counting stops above
    /// `most`.
    pub(crate) async fn count_waiting(&self, who: Option<&AccountId>, most: u64, held: u64) -> Result<u64, StoreError> {
        let db = self.hints();
        let held = if who.is_some() { held } else { 0 };
        let mut sum = 0;
        for statement in counts_of_waiting(who, most + held + 1) {
            let statement = db.get_database_backend().build(&statement);
            let found = Counted::find_by_statement(statement).one(db).await?;
            sum += u64::try_from(found.map_or(0, |counted| counted.n)).unwrap_or(0);
        }
        Ok(sum.saturating_sub(held))
    }

    /// The latest `limit` ends of everybody's jobs, or of one requester's.
    pub(crate) async fn ended(&self, who: Option<&AccountId>, limit: u64) -> Result<Vec<JobRow>, StoreError> {
        ended(who).limit(limit).all(self.hints()).await?.into_iter().map(JobRow::read).collect()
    }

    /// How far tasks are, as their workers told last.
    pub(crate) async fn progress(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, Progress>, StoreError> {
        use row::output::Column as O;
        let found: Vec<(Uuid, Option<String>)> = row::output::Entity::find()
            .select_only()
            .columns([O::TaskId, O::Progress])
            .filter(O::TaskId.is_in(tasks.iter().map(|task| task.0)))
            .into_tuple()
            .all(self.hints())
            .await?;
        let told = found.into_iter().filter_map(|(task, text)| Some((TaskId(task), text?)));
        told.map(|(task, text)| Ok((task, from_json(task, &text)?))).collect()
    }

    /// When each attempt at these tasks was claimed.
    pub(crate) async fn claimed_at(&self, tasks: &[TaskId]) -> Result<HashMap<(TaskId, u32), Timestamp>, StoreError> {
        use row::attempt::Column as A;
        let found: Vec<(Uuid, i64, i64)> = row::attempt::Entity::find()
            .select_only()
            .columns([A::TaskId, A::Epoch, A::ClaimedAt])
            .filter(A::TaskId.is_in(tasks.iter().map(|task| task.0)))
            .into_tuple()
            .all(self.hints())
            .await?;
        found.into_iter().map(|(task, epoch, at)| Ok(((TaskId(task), count(epoch)?), moment(at)?))).collect()
    }

    async fn heads(&self, query: Select<row::task::Entity>) -> Result<Vec<Head>, StoreError> {
        query.into_model::<HeadRow>().all(self.hints()).await?.iter().map(Head::read).collect()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{QueryTrait, Statement};

    use super::*;

    /// Each read goes to the head of an index and stops there: nothing is sorted, and nothing is read only to be left out.
    #[tokio::test]
    async fn no_read_grows_with_what_lies_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/ffleet.db", folder.path().display())).await.unwrap();
        let (db, alice): (_, AccountId) = (store.reader(), "alice".parse().unwrap());
        let backend = db.get_database_backend();
        let [claimable, later, blocked] = waiting_of_all();
        let mut reads: Vec<(&str, Statement)> = vec![
            ("tasks_worker (worker_id>?)", held().build(backend)),
            ("tasks_live (requester=? AND live_priority>?)", unfinished_of(&alice).limit(5).build(backend)),
            ("tasks_claim_priority (claim_priority>?)", claimable.limit(5).build(backend)),
            ("tasks_ripe (not_before>?)", later.limit(5).build(backend)),
            ("tasks_blocked", blocked.limit(5).build(backend)),
            ("jobs_ended (ended_at>?)", ended(None).limit(5).build(backend)),
            ("jobs_requester_ended (requester=? AND ended_at>?)", ended(Some(&alice)).limit(5).build(backend)),
        ];
        let counts = ["tasks_claim_priority (claim_priority>?)", "tasks_ripe (not_before>?)", "tasks_blocked"];
        let of_all = counts_of_waiting(None, 10);
        assert_eq!(of_all.len(), counts.len());
        reads.extend(counts.into_iter().zip(of_all.iter().map(|count| backend.build(count))));
        let mine = counts_of_waiting(Some(&alice), 10);
        reads.extend(mine.iter().map(|count| ("tasks_live (requester=? AND live", backend.build(count))));
        for (index, read) in reads {
            let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", read.sql), ..read };
            let rows = db.query_all_raw(explain).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
            assert!(plan.iter().any(|step| step.contains(index)), "not by {index}: {plan:?}");
            // An index that holds nothing but what is wanted is read from its head.
            let reads_all = |step: &String| {
                step.contains("TEMP B-TREE") || step.starts_with("SCAN tasks") && !step.ends_with("tasks_blocked")
            };
            assert!(!plan.iter().any(reads_all), "{plan:?}");
        }
    }
}
