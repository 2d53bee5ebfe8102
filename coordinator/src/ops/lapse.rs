//! Leases end without a word from their worker.

use std::collections::HashSet;

use ffleet_protocol::{
    id::{Incarnation, TaskId, WorkerId},
    state::WorkerState,
    worker::LeaseRef,
};

use super::{OpError, transition::Verdict, transition::apply};
use crate::{
    app::App,
    domain::{Event, Lapse, Refusal, WorkerEvent},
    store::{
        commit::Commit,
        tasks::{Actor, SeenTask},
        workers::WorkerRow,
    },
};

/// Tasks of one worker that end together.
const HELD: u64 = 2_000;

/// One lease is over, if it still is when this is decided. Says whether it was.
pub(crate) async fn one(app: &App, actor: &Actor, task: TaskId) -> Result<bool, OpError> {
    let Some(seen) = app.store.seen_job_of(task).await? else { return Ok(false) };
    let Some(holder) = seen.task(task).and_then(|seen| seen.task.state.holder()).cloned() else { return Ok(false) };
    let worker = app.store.worker(&holder.worker).await?;
    let lapse = if gone(worker.as_ref(), holder.incarnation) { Lapse::OverAndGone } else { Lapse::Over };
    end(app, actor, task, lapse, |seen| seen.task.state.holder() == Some(&holder)).await
}

fn gone(worker: Option<&WorkerRow>, incarnation: Incarnation) -> bool {
    worker.is_none_or(|worker| worker.standing.state == WorkerState::Offline || worker.incarnation != incarnation)
}

/// A worker has started anew: what an earlier start of it held ends at once, except what the new one found finished on its
/// disk and is about to report.
pub(crate) async fn superseded(
    app: &App,
    actor: &Actor,
    worker: &WorkerId,
    incarnation: Incarnation,
    unreported: &[LeaseRef],
) -> Result<(), OpError> {
    let kept: HashSet<LeaseRef> = unreported.iter().copied().collect();
    let earlier = |seen: &SeenTask| {
        seen.task.state.lease().is_some_and(|lease| {
            let this = LeaseRef { task: seen.task.id, epoch: seen.task.epoch, token: lease.holder.token };
            lease.holder.worker == *worker && lease.holder.incarnation != incarnation && !kept.contains(&this)
        })
    };
    for (task, _) in app.store.held_by(worker.as_str(), HELD).await? {
        end(app, actor, task, Lapse::Superseded, earlier).await?;
    }
    Ok(())
}

/// Everything a worker holds ends at once.
pub(crate) async fn of_worker(app: &App, actor: &Actor, worker: &WorkerId, lapse: Lapse) -> Result<(), OpError> {
    for (task, _) in app.store.held_by(worker.as_str(), HELD).await? {
        end(app, actor, task, lapse, |seen| {
            seen.task.state.lease().is_some_and(|lease| lease.holder.worker == *worker)
        })
        .await?;
    }
    Ok(())
}

/// Ends a lease if it is still one that is meant.
async fn end(
    app: &App,
    actor: &Actor,
    task: TaskId,
    lapse: Lapse,
    meant: impl Fn(&SeenTask) -> bool,
) -> Result<bool, OpError> {
    let event = Event::LeaseLapsed { lapse };
    let other = || OpError::Unavailable("the lease is another one now".to_owned());
    let verdict =
        apply(
            app,
            actor,
            task,
            |_, seen| {
                if meant(seen) { Ok((event.clone(), Commit::default())) } else { Err(other()) }
            },
        )
        .await;
    match verdict {
        Ok(Verdict::Applied(applied)) => {
            let from = applied.seen.task(task).map(|seen| seen.row.state.clone()).unwrap_or_default();
            tracing::info!(
                task.id = %task, job.id = %applied.seen.job.id, epoch = applied.next.task.epoch, from,
                to = %applied.next.task.state.status(), "the lease on task {task} has ended without a word"
            );
            Ok(true)
        }
        Ok(Verdict::Refused(Refusal::LeaseNotOver { .. } | Refusal::WrongState { .. } | Refusal::StaleLease, _)) => {
            Ok(false)
        }
        Ok(Verdict::Refused(refusal, _)) => {
            tracing::debug!(task.id = %task, %refusal, "a lease did not lapse");
            Ok(false)
        }
        Err(OpError::Unavailable(_) | OpError::Refused(_)) => Ok(false),
        Err(error @ OpError::Internal(_)) => Err(error),
    }
}

/// A worker was not heard of for too long. Its leases end by themselves when their time is over.
pub(crate) async fn silent(app: &App, worker: WorkerRow) -> Result<(), OpError> {
    let Ok(standing) = worker.standing.on(WorkerEvent::Silent) else { return Ok(()) };
    let name = worker.id.clone();
    let next = WorkerRow { standing, ..worker.clone() };
    match app.store.commit(next.since(&worker)).await {
        Ok(()) => {
            app.workers.changed();
            tracing::warn!(worker.id = %name, "worker {name} was not heard of for too long and counts as offline");
            Ok(())
        }
        // It has spoken after all.
        Err(crate::store::StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
