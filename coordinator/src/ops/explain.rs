//! Why a job does not run yet.

use ffleet_protocol::{
    id::JobId,
    job::{Explanation, Need, TaskExplanation, WorkerReason},
    state::{TaskStatus, WorkerState},
};

use super::{Caller, OpError, no_such_job};
use crate::{
    app::App,
    domain::unfit,
    store::{
        tasks::{SeenJob, SeenTask},
        workers::WorkerRow,
    },
};

/// For each task that has not ended: where it stands, what goes before it, and each worker's first reason.
pub async fn explain(app: &App, who: &Caller, id: JobId) -> Result<Explanation, OpError> {
    let seen = app.store.seen_job(id).await?.filter(|seen| who.sees(&seen.job.requester)).ok_or_else(no_such_job)?;
    let mut tasks = Vec::new();
    for task in seen.tasks.iter().filter(|task| !task.task.state.status().is_terminal()) {
        tasks.push(explain_task(app, &seen, task).await?);
    }
    Ok(Explanation { id, status: seen.job.status, tasks })
}

async fn explain_task(app: &App, seen: &SeenJob, task: &SeenTask) -> Result<TaskExplanation, OpError> {
    let status = task.task.state.status();
    let mut explanation = TaskExplanation {
        id: task.task.id,
        status,
        summary: String::new(),
        warning: None,
        ahead: None,
        workers: Vec::new(),
    };
    match status {
        TaskStatus::Pending => {
            if task.row.claim_need.is_some() {
                explanation.ahead = Some(app.store.ahead(&task.row).await?);
            }
            let need = app.store.need(&app.needs, task.row.need_id).await?;
            explanation.workers = reasons(app, seen, task, &need).await?;
            explanation.warning = app.workers.warning(&app.store, &need).await?;
            explanation.summary = waiting(seen, task, &explanation);
        }
        TaskStatus::Blocked => {
            let waits_for = app.store.dependencies(task.task.id).await?;
            let standing = app.store.standing(&waits_for).await?;
            let goes_on = |job: &&JobId| standing.get(*job).is_some_and(|(status, _)| !status.is_terminal());
            let names: Vec<String> = waits_for.iter().filter(goes_on).map(ToString::to_string).collect();
            explanation.summary = format!("it waits for the end of job {}", names.join(", "));
        }
        TaskStatus::Assigned | TaskStatus::Running | TaskStatus::Publishing | TaskStatus::Canceling => {
            let holder = task.task.state.holder().map(|holder| holder.worker.to_string()).unwrap_or_default();
            explanation.summary = format!("it is {status} on worker {holder}");
        }
        TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Canceled | TaskStatus::Unknown => {
            explanation.summary = format!("it is {status}");
        }
    }
    Ok(explanation)
}

fn waiting(seen: &SeenJob, task: &SeenTask, so_far: &TaskExplanation) -> String {
    let willing = so_far.workers.iter().filter(|worker| worker.reason.is_none()).count();
    if let Some(at) = task.row.not_before.and_then(|at| ffleet_protocol::Timestamp::from_microsecond(at).ok()) {
        let seconds = at.duration_since(seen.now).as_secs().max(0);
        let why = task.task.rejected_because.last().map(|why| format!("; the last reason was: {why}"));
        return format!("it waits {seconds} s before the next try{}", why.unwrap_or_default());
    }
    match (so_far.workers.is_empty(), willing) {
        (true, _) => "no worker has ever registered; start one".to_owned(),
        (false, 0) => "no worker can take it now".to_owned(),
        (false, n) => {
            let ahead = so_far.ahead.unwrap_or(0);
            format!("{n} worker{} may take it; {ahead} claimable before it", if n == 1 { "" } else { "s" })
        }
    }
}

async fn reasons(app: &App, seen: &SeenJob, task: &SeenTask, need: &Need) -> Result<Vec<WorkerReason>, OpError> {
    let busy = app.store.busy().await?;
    let workers = app.store.workers().await?;
    Ok(workers
        .into_iter()
        .map(|worker| {
            let held = busy.get(&worker.id).copied().unwrap_or(0);
            let reason = standing(&worker)
                .or_else(|| unfit(need, &worker.capabilities))
                .or_else(|| avoided(seen, task, &worker))
                .or_else(|| full(&worker, held));
            WorkerReason { worker: worker.id, reason }
        })
        .collect())
}

fn standing(worker: &WorkerRow) -> Option<String> {
    match worker.standing.state {
        WorkerState::Online => None,
        WorkerState::Offline => Some(format!("it is offline, last heard of at {:.0}", worker.seen_at)),
        WorkerState::Paused => Some("it is paused; `ffleet worker resume` lets it go on".to_owned()),
        WorkerState::Draining => Some("it is draining and takes no new work".to_owned()),
        WorkerState::Unknown => Some("it stands where only a newer coordinator knows".to_owned()),
    }
}

fn avoided(seen: &SeenJob, task: &SeenTask, worker: &WorkerRow) -> Option<String> {
    let avoid = task.task.avoid.iter().find(|avoid| avoid.worker == worker.id && avoid.until > seen.now)?;
    let seconds = avoid.until.duration_since(seen.now).as_secs();
    Some(format!("the task avoids it for another {seconds} s, after it rejected or lost it"))
}

fn full(worker: &WorkerRow, held: u32) -> Option<String> {
    let slots = worker.capabilities.slots;
    (held >= slots).then(|| format!("all of its {slots} slots are in use"))
}
