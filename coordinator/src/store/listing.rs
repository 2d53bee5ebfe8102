//! Listings: pages by key, stable under inserts, and counts that do not grow with history.

use std::collections::BTreeMap;

use ffleet_protocol::{
    Timestamp,
    id::{AccountId, JobId},
    job::JobSummary,
    state::JobStatus,
};
use jiff::SignedDuration;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement},
};
use uuid::Uuid;

use super::{Store, StoreError, convert::micros, jobs::JobRow, row};

/// What a page is to contain.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) requester: Option<AccountId>,
    pub(crate) statuses: Vec<JobStatus>,
    pub(crate) label: Option<(String, String)>,
    pub(crate) retried: Option<bool>,
    pub(crate) since: Option<Timestamp>,
    /// Ids from this one on, up to that one.
    pub(crate) between: Option<(Uuid, Uuid)>,
    /// Ids before this one.
    pub(crate) before: Option<JobId>,
    pub(crate) limit: u64,
}

/// How far the clock that makes ids may be from the one that stamps rows.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);

impl Store {
    /// One page of jobs, the newest first.
    pub(crate) async fn page(&self, page: &Page) -> Result<Vec<JobSummary>, StoreError> {
        use row::job::Column as C;
        let mut query = row::job::Entity::find().order_by_desc(C::Id).limit(page.limit);
        if let Some(requester) = &page.requester {
            query = query.filter(C::Requester.eq(requester.as_str()));
        }
        if let Some((key, value)) = &page.label {
            let labelled = Query::select()
                .column(row::job_label::Column::JobId)
                .from(row::job_label::Entity)
                .and_where(Expr::col(row::job_label::Column::LabelKey).eq(key.as_str()))
                .and_where(Expr::col(row::job_label::Column::LabelValue).eq(value.as_str()))
                .to_owned();
            query = query.filter(C::Id.in_subquery(labelled));
        }
        match page.retried {
            Some(true) => query = query.filter(C::RetriedBy.is_not_null()),
            Some(false) => query = query.filter(C::RetriedBy.is_null()),
            None => {}
        }
        if let Some(since) = page.since {
            // Ids carry their time, so the index ends the search where the answer ends.
            query = query.filter(C::CreatedAt.gte(micros(since))).filter(C::Id.gte(first_id(since)));
        }
        if let Some((from, to)) = page.between {
            query = query.filter(C::Id.gte(from)).filter(C::Id.lte(to));
        }
        if let Some(before) = page.before {
            query = query.filter(C::Id.lt(before.0));
        }
        // One short read of an index for each status: several in one would sort all jobs that have them.
        let mut found = Vec::new();
        for status in &page.statuses {
            found.append(&mut query.clone().filter(C::Status.eq(status.as_str())).all(self.hints()).await?);
        }
        if page.statuses.is_empty() {
            found = query.all(self.hints()).await?;
        }
        found.sort_by_key(|job| std::cmp::Reverse(job.id));
        found.dedup_by_key(|job| job.id);
        found.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        let jobs: Vec<JobRow> = found.into_iter().map(JobRow::read).collect::<Result<_, _>>()?;
        self.summaries(jobs).await
    }

    /// Jobs as listings show them.
    pub(crate) async fn summaries(&self, jobs: Vec<JobRow>) -> Result<Vec<JobSummary>, StoreError> {
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let mut specs = self.specs(&ids).await?;
        Ok(jobs
            .into_iter()
            .filter_map(|job| {
                // Retention may have taken it between the two reads.
                let spec = specs.remove(&job.id)?;
                Some(JobSummary {
                    id: job.id,
                    requester: job.requester,
                    status: job.status,
                    program: spec.program,
                    args: spec.args,
                    priority: job.priority,
                    labels: spec.labels,
                    created_at: job.created_at,
                    started_at: job.started_at,
                    ended_at: job.ended_at,
                    outcome: job.outcome,
                    retried_by: job.retried_by,
                })
            })
            .collect())
    }

    /// How many jobs stand where: those that have not ended, and those that ended after `since`.
    pub(crate) async fn counts(
        &self,
        who: Option<&AccountId>,
        since: Timestamp,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let db = self.hints();
        let mut counts = BTreeMap::new();
        for counted in [live(who), recent(who, since)] {
            for row in db.query_all_raw(db.get_database_backend().build(&counted)).await? {
                let (status, n): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                *counts.entry(status).or_default() += u64::try_from(n).unwrap_or(0);
            }
        }
        Ok(counts)
    }
}

/// Jobs that have not ended, by status.
fn live(who: Option<&AccountId>) -> SelectStatement {
    use row::job::Column as C;
    let live = JobStatus::ALL.iter().filter(|status| !status.is_terminal()).map(|status| status.as_str());
    let mut query = Query::select();
    query.from(row::job::Entity).and_where(Expr::col(C::Status).is_in(live));
    if let Some(who) = who {
        query.and_where(Expr::col(C::Requester).eq(who.as_str()));
    }
    query.column(C::Status).expr(Func::count(Expr::val(1))).group_by_col(C::Status).to_owned()
}

/// Jobs that have ended since, by status. They are looked up by their end first: a database that was asked to group would
/// rather go through an index that has every job in the order of the groups.
fn recent(who: Option<&AccountId>, since: Timestamp) -> SelectStatement {
    use row::job::Column as C;
    let mut ended = Query::select();
    ended.column(C::Status).from(row::job::Entity).and_where(Expr::col(C::EndedAt).gte(micros(since)));
    if let Some(who) = who {
        ended.and_where(Expr::col(C::Requester).eq(who.as_str()));
    }
    // A limit keeps the two steps apart; it is above everything that there can be.
    ended.order_by(C::EndedAt, Order::Asc).limit(u64::from(u32::MAX));
    let mut query = Query::select();
    query.from_subquery(ended, Alias::new("ended")).column(C::Status).expr(Func::count(Expr::val(1)));
    query.group_by_col(C::Status).to_owned()
}

/// An id below every one that was made at or after `since`.
fn first_id(since: Timestamp) -> Uuid {
    id_at(since.saturating_sub(CLOCKS_APART).unwrap_or(Timestamp::MIN))
}

/// The lowest id that can be made at a moment. RFC 9562, UUIDv7: the first 48 bits are milliseconds since 1970.
pub(crate) fn id_at(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(u128::from(millis) << 80)
}

/// The ids that begin with some hexadecimal digits, dashes aside.
pub(crate) fn ids_beginning(prefix: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = prefix.chars().filter(|c| *c != '-').collect();
    if digits.is_empty() || digits.len() > 32 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let low = u128::from_str_radix(&format!("{digits:0<32}"), 16).ok()?;
    let high = u128::from_str_radix(&format!("{digits:f<32}"), 16).ok()?;
    Some((Uuid::from_u128(low), Uuid::from_u128(high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_spans_its_ids() {
        let id = Uuid::now_v7();
        let text = id.to_string();
        for length in [1, 8, 13, 36] {
            let (low, high) = ids_beginning(&text[..length]).unwrap();
            assert!(low <= id && id <= high);
        }
        assert_eq!(ids_beginning("xyz"), None);
        assert_eq!(ids_beginning(""), None);
    }

    #[tokio::test]
    async fn counting_reads_what_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/ffleet.db", folder.path().display())).await.unwrap();
        let (db, alice): (_, AccountId) = (store.reader(), "alice".parse().unwrap());
        for (index, counted) in [
            ("jobs_status (status=?)", live(None)),
            ("jobs_requester_status (requester=? AND status=?)", live(Some(&alice))),
            ("jobs_ended (ended_at>?)", recent(None, Timestamp::now())),
            ("jobs_requester_ended (requester=? AND ended_at>?)", recent(Some(&alice), Timestamp::now())),
        ] {
            let read = db.get_database_backend().build(&counted);
            let explain = sea_orm::Statement { sql: format!("EXPLAIN QUERY PLAN {}", read.sql), ..read };
            let rows = db.query_all_raw(explain).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
            assert!(plan.iter().any(|step| step.contains(index)), "not by {index}: {plan:?}");
        }
    }

    #[test]
    fn the_first_id_is_below_what_comes_after() {
        assert!(first_id(Timestamp::now()) < Uuid::now_v7());
    }
}
