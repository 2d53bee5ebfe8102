//! "B after A": what becomes of B when A has ended.

use ffleet_protocol::{
    id::{JobId, TaskId},
    state::JobStatus,
};

use super::{
    OpError,
    transition::{Verdict, apply},
};
use crate::{
    app::App,
    domain::Event,
    store::{commit::Commit, tasks::Actor},
};

/// Looks at every blocked task of a job.
pub(crate) async fn job(app: &App, actor: &Actor, id: JobId) -> Result<(), OpError> {
    let Some(seen) = app.store.seen_job(id).await? else { return Ok(()) };
    for task in &seen.tasks {
        one(app, actor, task.task.id).await?;
    }
    Ok(())
}

/// Lets a blocked task go on if everything it waits for has completed, or fail if something never will. Says whether
/// anything happened.
pub(crate) async fn one(app: &App, actor: &Actor, task: TaskId) -> Result<bool, OpError> {
    let Some(event) = look(app, task).await? else { return Ok(false) };
    match apply(app, actor, task, |_, _| Ok((event.clone(), Commit::default()))).await {
        Ok(Verdict::Applied(_)) => Ok(true),
        // It was never blocked, or is not any more.
        Ok(Verdict::Refused(..)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the ends of the jobs that a task waits for mean for it; `None` while some go on.
pub(super) async fn look(app: &App, task: TaskId) -> Result<Option<Event>, OpError> {
    let waits_for = app.store.dependencies(task).await?;
    let standing = app.store.standing(&waits_for).await?;
    let failed = |message: String| Ok(Some(Event::DependencyFailed { message }));
    let mut goes_on = false;
    for job in waits_for {
        match standing.get(&job).map(|(status, _)| *status) {
            Some(JobStatus::Completed) => {}
            Some(JobStatus::Failed) => return failed(format!("job {job}, which it waited for, has failed")),
            Some(JobStatus::Canceled) => return failed(format!("job {job}, which it waited for, was canceled")),
            Some(
                JobStatus::Pending
                | JobStatus::Assigned
                | JobStatus::Running
                | JobStatus::Canceling
                | JobStatus::Unknown,
            ) => goes_on = true,
            None => return failed(format!("job {job}, which it waited for, is gone")),
        }
    }
    Ok((!goes_on).then_some(Event::Unblocked))
}
