//! Jobs with their tasks and where the output of each stands, as decisions need them: one statement, which reads one state
//! of the database.

use std::sync::LazyLock;

use ffleet_protocol::id::{JobId, TaskId};
use sea_orm::{ConnectionTrait, Statement, Value};

use super::{
    Store, StoreError,
    jobs::JobRow,
    row::{self, Row, padded},
    tasks::{SeenJob, SeenTask},
};

static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {}, {}, {} FROM jobs AS j JOIN tasks AS t ON t.job_id = j.id LEFT JOIN task_output AS o ON o.task_id = t.id",
        row::job::Model::selected("j"),
        row::task::Model::selected("t"),
        row::output::Model::selected("o"),
    )
});

impl Store {
    /// A job and its tasks.
    pub(crate) async fn seen_job(&self, id: JobId) -> Result<Option<SeenJob>, StoreError> {
        Ok(self.seen("j.id = ?", vec![id.0.into()]).await?.pop())
    }

    /// The job that a task belongs to.
    pub(crate) async fn seen_job_of(&self, task: TaskId) -> Result<Option<SeenJob>, StoreError> {
        Ok(self.seen("j.id = (SELECT job_id FROM tasks WHERE id = ?)", vec![task.0.into()]).await?.pop())
    }

    /// The same as it was when this process last wrote it, if that was lately: as likely as not it still is. Whatever comes of
    /// it but a commit, which names the versions it was decided on, has to be asked of the database again.
    pub(crate) async fn remembered(&self, task: TaskId) -> Result<Option<SeenJob>, StoreError> {
        let Some(seen) = self.recent.take(task) else { return Ok(None) };
        Ok(Some(SeenJob { now: self.now().await?, ..seen }))
    }

    /// Keeps a job as it was just written.
    pub(crate) fn remember(&self, job: SeenJob) {
        if job.job.outcome.is_none() {
            self.recent.put(job);
        }
    }

    /// Several jobs at once.
    pub(crate) async fn seen_jobs(&self, ids: &[JobId]) -> Result<Vec<SeenJob>, StoreError> {
        let mut seen = Vec::with_capacity(ids.len());
        for part in ids.chunks(512) {
            let ids: Vec<Value> = padded(part).into_iter().map(|id| id.0.into()).collect();
            let places = vec!["?"; ids.len()].join(", ");
            seen.append(&mut self.seen(&format!("j.id IN ({places})"), ids).await?);
        }
        Ok(seen)
    }

    async fn seen(&self, which: &str, values: Vec<Value>) -> Result<Vec<SeenJob>, StoreError> {
        let db = self.reader();
        let sql = format!("{} WHERE {which} ORDER BY j.id, t.id", *SELECT);
        let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        // Read afterwards: what was decided on older rows fails by their versions, and nothing is judged too early.
        let now = self.now().await?;
        let mut seen: Vec<SeenJob> = Vec::new();
        for found in &rows {
            let row = row::task::Model::read(found, "t_")?;
            if found.try_get::<Option<uuid::Uuid>>("o_", "task_id")?.is_none() {
                return Err(StoreError::corrupt(row.id, "it has no row of output"));
            }
            let output = row::output::Model::read(found, "o_")?;
            let task = SeenTask::of(row, output)?;
            match seen.last_mut().filter(|seen| seen.job.id.0 == task.row.job_id) {
                Some(seen) => seen.tasks.push(task),
                None => {
                    let job = JobRow::read(row::job::Model::read(found, "j_")?)?;
                    seen.push(SeenJob { now, job, tasks: vec![task] });
                }
            }
        }
        Ok(seen)
    }
}
