//! Jobs as this process last wrote them. A worker speaks of its tasks many times in a row; without this each time would read
//! what the time before has written.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ffleet_protocol::id::TaskId;

use super::tasks::SeenJob;

/// Jobs of one generation. Two are kept: what was not asked for during a whole generation is forgotten.
const GENERATION: usize = 1_024;
/// Jobs with more tasks are not kept.
const TASKS: usize = 16;

/// What is remembered, by task.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Generations>>);

#[derive(Debug, Default)]
struct Generations {
    new: HashMap<TaskId, Arc<SeenJob>>,
    old: HashMap<TaskId, Arc<SeenJob>>,
}

impl Recent {
    /// Takes out the job of a task: whoever changes it puts it back.
    pub(super) fn take(&self, task: TaskId) -> Option<SeenJob> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.new.remove(&task).or_else(|| all.old.remove(&task))?;
        drop(all);
        Some(Arc::unwrap_or_clone(found))
    }

    pub(super) fn put(&self, job: SeenJob) {
        if job.tasks.len() > TASKS {
            return;
        }
        let job = Arc::new(job);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for task in &job.tasks {
            all.new.insert(task.task.id, job.clone());
        }
        if all.new.len() > GENERATION {
            all.old = std::mem::take(&mut all.new);
        }
    }
}
