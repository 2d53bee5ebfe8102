//! A worker is there, and says what it works on. Only what it lists is renewed.

use std::collections::HashMap;

use ffleet_protocol::{
    id::{JobId, TaskId, WorkerId},
    state::WorkerState,
    task::{Grant, HeldLease, Order, Verdict},
    worker::{HeartbeatAnswer, HeartbeatRequest},
};

use super::{
    Caller, OpError,
    claim::grant,
    transition::{self, apply},
    workers::{known, running_here},
};
use crate::{
    app::App,
    domain::{Event, Quote, Task, TaskState, WorkerEvent},
    store::{StoreError, commit::Commit, tasks::SeenTask, workers::WorkerRow},
};

/// Tasks of one worker that are looked at.
const HELD: u64 = 2_000;

/// Renews the listed leases and answers what becomes of each.
pub async fn heartbeat(
    app: &App,
    who: &Caller,
    id: WorkerId,
    request: HeartbeatRequest,
) -> Result<HeartbeatAnswer, OpError> {
    if let Some(answer) = idle(app, who, &id, &request).await? {
        return Ok(answer);
    }
    let worker = known(app, who, &id).await?;
    running_here(&worker, request.incarnation)?;
    if request.beat <= worker.beat {
        // A repeated or overtaken heartbeat renews nothing: it says where the worker was, not where it is.
        let held = app.store.held_by(id.as_str(), HELD).await?;
        return verdicts(app, &id, &worker, &request, &held, Vec::new()).await;
    }
    let renewed = futures_util::future::join_all(request.leases.iter().map(|lease| renew(app, who, &id, lease))).await;
    let renewed: Vec<Option<Task>> = renewed.into_iter().collect::<Result<_, _>>()?;
    let held = app.store.held_by(id.as_str(), HELD).await?;
    let worker = was_heard(app, worker, &request).await?;
    app.workers.hear(worker.clone());
    verdicts(app, &id, &worker, &request, &held, renewed).await
}

/// The heartbeat of a worker that lists nothing, has nothing and was heard here before: one guarded write, on what this
/// coordinator remembers, together with those of others. Large fleets are idle most of the time. A list must not be judged
/// so: an old heartbeat that a stranger repeats here would renew what it lists before anybody notices.
async fn idle(
    app: &App,
    who: &Caller,
    id: &WorkerId,
    request: &HeartbeatRequest,
) -> Result<Option<HeartbeatAnswer>, OpError> {
    let Some(row) = app.workers.heard(id).filter(|_| request.leases.is_empty()) else { return Ok(None) };
    let newer = row.incarnation == request.incarnation && request.beat > row.beat;
    // What it holds and does not list, because an answer got lost, it has to be told of.
    if row.account != who.account || !newer || request.draining || app.workers.is_busy(&app.store, id).await? {
        return Ok(None);
    }
    let hearing = request.hearing.or(row.hearing);
    let next = WorkerRow { beat: request.beat, seen_at: app.store.now().await?, hearing, ..row.clone() };
    let commit = Commit { unhurried: true, ..next.since(&row) };
    match app.store.commit(commit).await {
        Ok(()) => {}
        Err(StoreError::Conflict(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let state = next.standing.state;
    app.workers.hear(WorkerRow { version: next.version + 1, ..next });
    let heartbeat_s = app.config.timing.heartbeat_s;
    Ok(Some(HeartbeatAnswer { state, verdicts: Vec::new(), unknown_to_you: Vec::new(), heartbeat_s }))
}

/// Renews one lease; `None` when it is not the worker's any more.
async fn renew(app: &App, who: &Caller, id: &WorkerId, lease: &HeldLease) -> Result<Option<Task>, OpError> {
    let quote = Quote { epoch: lease.epoch, token: lease.token, worker: id.clone() };
    let event = Event::Renewed { quote };
    match apply(app, &who.actor(), lease.task, |_, _| Ok((event.clone(), Commit::default()))).await {
        Ok(transition::Verdict::Applied(applied)) => Ok(Some(applied.next.task)),
        Ok(transition::Verdict::Refused(..)) => Ok(None),
        // Retention may have removed what this worker never let go of.
        Err(OpError::Refused(_)) => Ok(None),
        Err(error @ (OpError::Unavailable(_) | OpError::Internal(_))) => Err(error),
    }
}

/// Writes that the worker was heard, and takes on a drain that the worker itself wants.
async fn was_heard(app: &App, worker: WorkerRow, request: &HeartbeatRequest) -> Result<WorkerRow, OpError> {
    let mut worker = worker;
    for _ in 0..16 {
        let newest = request.beat > worker.beat;
        let standing = if newest && request.draining && worker.standing.state != WorkerState::Draining {
            worker.standing.on(WorkerEvent::Drained).unwrap_or(worker.standing)
        } else {
            worker.standing
        };
        let next = WorkerRow {
            standing,
            beat: worker.beat.max(request.beat),
            seen_at: app.store.now().await?,
            hearing: request.hearing.filter(|_| newest).or(worker.hearing),
            ..worker.clone()
        };
        match app.store.commit(next.since(&worker)).await {
            Ok(()) => return Ok(WorkerRow { version: next.version + 1, ..next }),
            Err(StoreError::Conflict(_)) => {
                worker = app.store.worker(&worker.id).await?.ok_or_else(super::no_such_task)?;
                running_here(&worker, request.incarnation)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(OpError::Unavailable("this worker keeps changing; send the heartbeat again".to_owned()))
}

async fn verdicts(
    app: &App,
    id: &WorkerId,
    worker: &WorkerRow,
    request: &HeartbeatRequest,
    held: &[(TaskId, JobId)],
    renewed: Vec<Option<Task>>,
) -> Result<HeartbeatAnswer, OpError> {
    let jobs: Vec<JobId> = held.iter().map(|(_, job)| *job).collect();
    let seen = app.store.seen_jobs(&jobs).await?;
    let tasks: HashMap<TaskId, &SeenTask> =
        seen.iter().flat_map(|job| &job.tasks).map(|task| (task.task.id, task)).collect();
    let mut renewed = renewed.into_iter().map(Some).chain(std::iter::repeat(None));
    let verdicts = request
        .leases
        .iter()
        .map(|lease| {
            let fresh = renewed.next().flatten();
            let known = tasks.get(&lease.task).copied();
            let task = match fresh {
                Some(Some(task)) => Some(task),
                Some(None) => None,
                None => known.map(|seen| seen.task.clone()).filter(|task| is_held(task, lease)),
            };
            verdict(lease, task.as_ref(), known)
        })
        .collect();
    let unknown_to_you = unknown(app, id, request, &seen).await?;
    Ok(HeartbeatAnswer {
        state: worker.standing.state,
        verdicts,
        unknown_to_you,
        heartbeat_s: app.config.timing.heartbeat_s,
    })
}

fn is_held(task: &Task, lease: &HeldLease) -> bool {
    task.epoch == lease.epoch && task.state.lease().is_some_and(|held| held.holder.token == lease.token)
}

fn verdict(lease: &HeldLease, task: Option<&Task>, known: Option<&SeenTask>) -> Verdict {
    let order = match task.map(|task| &task.state) {
        Some(TaskState::Canceling { reason, .. }) => Order::Stop { reason: *reason },
        Some(TaskState::Assigned { .. } | TaskState::Running { .. } | TaskState::Publishing { .. }) => Order::Continue,
        Some(
            TaskState::Blocked
            | TaskState::Pending { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. },
        )
        | None => Order::Lost,
    };
    let signals = known
        .filter(|seen| seen.task.epoch == lease.epoch)
        .map(|seen| seen.signals.iter().filter(|signal| signal.number > lease.signals_seen).copied().collect())
        .unwrap_or_default();
    Verdict { task: lease.task, epoch: lease.epoch, next_seq: task.map_or(1, |task| task.next_seq), order, signals }
}

/// Leases of this incarnation that the worker did not list: an answer to a claim got lost.
async fn unknown(
    app: &App,
    id: &WorkerId,
    request: &HeartbeatRequest,
    seen: &[crate::store::tasks::SeenJob],
) -> Result<Vec<Grant>, OpError> {
    let mut missing = Vec::new();
    for job in seen {
        for task in &job.tasks {
            let ours = task
                .task
                .state
                .lease()
                .is_some_and(|lease| lease.holder.worker == *id && lease.holder.incarnation == request.incarnation);
            if ours && !request.leases.iter().any(|lease| lease.task == task.task.id && lease.epoch == task.task.epoch)
            {
                missing.push((job, task));
            }
        }
    }
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let jobs: Vec<JobId> = missing.iter().map(|(job, _)| job.job.id).collect();
    let commands = app.store.commands(&jobs).await?;
    Ok(missing.into_iter().filter_map(|(job, task)| grant(app, job, task, &commands)).collect())
}
