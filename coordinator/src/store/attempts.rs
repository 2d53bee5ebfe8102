//! Attempts as people see them.

use std::collections::HashMap;

use ffleet_protocol::{
    id::{JobId, TaskId, WorkerId},
    job::AttemptView,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{
    Store, StoreError,
    convert::{count, moment, moment_opt, word},
    row,
    tasks::read_end,
};

impl Store {
    /// Whether a worker was ever given this task.
    pub(crate) async fn was_given(&self, task: TaskId, worker: &WorkerId) -> Result<bool, StoreError> {
        let found = row::attempt::Entity::find()
            .filter(row::attempt::Column::TaskId.eq(task.0))
            .filter(row::attempt::Column::WorkerId.eq(worker.as_str()))
            .limit(1)
            .one(self.reader())
            .await?;
        Ok(found.is_some())
    }

    /// Every attempt at the tasks of a job, the first one first.
    pub(crate) async fn attempts(&self, job: JobId) -> Result<HashMap<TaskId, Vec<AttemptView>>, StoreError> {
        let rows = row::attempt::Entity::find()
            .filter(row::attempt::Column::JobId.eq(job.0))
            .order_by_asc(row::attempt::Column::Epoch)
            .all(self.reader())
            .await?;
        let mut attempts: HashMap<_, Vec<_>> = HashMap::new();
        for row in rows {
            attempts.entry(TaskId(row.task_id)).or_default().push(view(row)?);
        }
        Ok(attempts)
    }
}

fn view(row: row::attempt::Model) -> Result<AttemptView, StoreError> {
    let number = |value: Option<i64>| {
        value.map(|n| i32::try_from(n).map_err(|error| StoreError::corrupt(row.task_id, error))).transpose()
    };
    Ok(AttemptView {
        epoch: count(row.epoch)?,
        worker: word(&row.worker_id)?,
        claimed_at: moment(row.claimed_at)?,
        started_at: moment_opt(row.started_at)?,
        ended_at: moment_opt(row.ended_at)?,
        end: row.end_kind.as_deref().map(read_end).transpose()?,
        exit_code: number(row.exit_code)?,
        signal: number(row.exit_signal)?,
        failure: row.failure.as_deref().map(word).transpose()?,
        message: row.message,
    })
}
