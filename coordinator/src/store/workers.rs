//! Workers' rows.

use std::collections::BTreeMap;

use ffleet_protocol::{
    Timestamp,
    id::{AccountId, Incarnation, WorkerId},
    state::WorkerState,
    worker::{Capabilities, Hearing},
};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

use super::{
    Store, StoreError,
    change::Change,
    commit::{Commit, Guard},
    convert::{from_json, micros, moment, to_json, word},
    row,
};
use crate::domain::Standing;

/// A worker's row.
#[derive(Debug, Clone)]
pub(crate) struct WorkerRow {
    pub(crate) id: WorkerId,
    pub(crate) account: AccountId,
    /// 0 for a row that is yet to be made.
    pub(crate) version: i64,
    pub(crate) standing: Standing,
    pub(crate) incarnation: Incarnation,
    pub(crate) program_version: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) beat: u64,
    pub(crate) registered_at: Timestamp,
    pub(crate) seen_at: Timestamp,
    /// How it hears that it should look, in its own words.
    pub(crate) hearing: Option<Hearing>,
}

impl WorkerRow {
    fn read(row: row::worker::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: word(&row.id)?,
            account: word(&row.account_id)?,
            version: row.version,
            standing: Standing { state: word(&row.state)?, paused: row.paused != 0 },
            incarnation: Incarnation(row.incarnation),
            capabilities: from_json(&row.id, &row.capabilities)?,
            hearing: row.hearing.as_deref().map(|text| from_json(&row.id, text)).transpose()?,
            program_version: row.program_version,
            beat: u64::try_from(row.beat).map_err(|error| StoreError::corrupt(&row.id, error))?,
            registered_at: moment(row.registered_at)?,
            seen_at: moment(row.seen_at)?,
        })
    }

    fn model(&self) -> row::worker::Model {
        row::worker::Model {
            id: self.id.as_str().to_owned(),
            account_id: self.account.as_str().to_owned(),
            version: self.version + 1,
            state: self.standing.state.as_str().to_owned(),
            paused: i64::from(self.standing.paused),
            incarnation: self.incarnation.0,
            program_version: self.program_version.clone(),
            capabilities: to_json(&self.capabilities),
            beat: beats(self.beat),
            registered_at: micros(self.registered_at),
            seen_at: micros(self.seen_at),
            hearing: self.hearing.as_ref().map(to_json),
        }
    }

    /// Writes this row if it is still the one that was read, or makes it if it was none.
    pub(crate) fn commit(&self) -> Commit {
        let mut commit = Commit::default();
        if self.version == 0 {
            commit.guards.push(Guard::FreshWorker(self.id.clone()));
            commit.rows.workers.push(self.model());
        } else {
            commit.guards.push(Guard::Worker(self.id.clone(), self.version));
            commit.changes.push(self.change());
        }
        commit
    }

    /// Writes where it stands and what its heartbeats say, if `before` still is the row. What it has is left alone: a newer
    /// coordinator may have written more about it than this one has read.
    pub(crate) fn since(&self, before: &Self) -> Commit {
        use row::worker::Column as C;
        let mut commit = Commit::default();
        commit.guards.push(Guard::Worker(self.id.clone(), before.version));
        let mut change = Change::of("workers", C::Id, self.id.as_str().to_owned()).next(before.version);
        if self.standing != before.standing {
            let Standing { state, paused } = self.standing;
            change = change.set(C::State, state.as_str().to_owned()).set(C::Paused, i64::from(paused));
        }
        if self.hearing != before.hearing {
            change = change.set(C::Hearing, self.hearing.as_ref().map(to_json));
        }
        commit.changes.push(change.set(C::Beat, beats(self.beat)).set(C::SeenAt, micros(self.seen_at)));
        commit
    }

    fn change(&self) -> Change {
        use row::worker::Column as C;
        let row = self.model();
        Change::of("workers", C::Id, row.id)
            .next(self.version)
            .set(C::State, row.state)
            .set(C::Paused, row.paused)
            .set(C::Incarnation, row.incarnation)
            .set(C::ProgramVersion, row.program_version)
            .set(C::Capabilities, row.capabilities)
            .set(C::Beat, row.beat)
            .set(C::RegisteredAt, row.registered_at)
            .set(C::SeenAt, row.seen_at)
            .set(C::Hearing, row.hearing)
    }
}

fn beats(beat: u64) -> i64 {
    i64::try_from(beat).unwrap_or(i64::MAX)
}

#[derive(FromQueryResult)]
struct Busy {
    worker_id: String,
    n: i64,
}

impl Store {
    /// A worker's row.
    pub(crate) async fn worker(&self, id: &WorkerId) -> Result<Option<WorkerRow>, StoreError> {
        let found = row::worker::Entity::find_by_id(id.as_str().to_owned()).one(self.reader()).await?;
        found.map(WorkerRow::read).transpose()
    }

    /// Every worker's row, by name.
    pub(crate) async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        let rows = row::worker::Entity::find().order_by_asc(row::worker::Column::Id).all(self.reader()).await?;
        rows.into_iter().map(WorkerRow::read).collect()
    }

    /// Workers that are not offline and were not heard of since `before`.
    pub(crate) async fn silent(&self, before: Timestamp, limit: u64) -> Result<Vec<WorkerRow>, StoreError> {
        let rows = row::worker::Entity::find()
            .filter(row::worker::Column::State.ne(WorkerState::Offline.as_str()))
            .filter(row::worker::Column::SeenAt.lt(micros(before)))
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(WorkerRow::read).collect()
    }

    /// How many tasks each worker holds; workers that hold none are missing.
    pub(crate) async fn busy(&self) -> Result<BTreeMap<WorkerId, u32>, StoreError> {
        use row::task::Column as C;
        let found = row::task::Entity::find()
            .select_only()
            .column(C::WorkerId)
            .column_as(C::Id.count(), "n")
            .filter(C::WorkerId.is_not_null())
            .group_by(C::WorkerId)
            .into_model::<Busy>()
            .all(self.reader())
            .await?;
        found.into_iter().map(|busy| Ok((word(&busy.worker_id)?, super::convert::count(busy.n)?))).collect()
    }
}
