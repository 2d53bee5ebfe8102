//! The four steps of every change to a task: load, decide, commit, announce. A lost race starts over.

use std::collections::VecDeque;

use ffleet_protocol::{
    id::{TaskId, WorkerId},
    problem::Code,
    state::{CancelReason, TaskStatus},
};

use ffleet_nudges::Nudge;

use super::{OpError, error::Refused, replayed};
use crate::{
    app::App,
    domain::{Event, Next, Refusal, Wake},
    store::{
        Conflicting, StoreError,
        commit::{Awaited, Commit},
        jobs::JobRow,
        tasks::{Actor, Decided, SeenJob, SeenTask, transition},
    },
};

/// How often a lost race is run again. Each loss means that somebody else has got on, so this is never reached in
/// practice; it bounds what a fault of ours could cost.
const TRIES: u32 = 64;

/// Dependents that are looked at after one end; the janitor goes on with the rest.
const DEPENDENTS: u64 = 1_000;

/// A transition that is on disk.
#[derive(Debug)]
pub(crate) struct Applied {
    /// What it was decided on.
    pub(crate) seen: SeenJob,
    /// What became of the task.
    pub(crate) next: Next,
    /// What became of the job.
    pub(crate) decided: Decided,
}

/// What became of an event.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is on disk and announced.
    Applied(Box<Applied>),
    /// It was not taken, on what was read then.
    Refused(Refusal, Box<SeenJob>),
}

/// Applies to a task the event that `choose` makes of what is read, with all that follows from it. `choose` runs again
/// when a race was lost; what it adds in the commit happens with the transition or not at all.
pub(crate) async fn apply(
    app: &App,
    actor: &Actor,
    task: TaskId,
    choose: impl Fn(&SeenJob, &SeenTask) -> Result<(Event, Commit), OpError>,
) -> Result<Verdict, OpError> {
    let verdict = step(app, actor, task, choose).await?;
    if let Verdict::Applied(applied) = &verdict {
        consequences(app, actor, applied).await;
    }
    Ok(verdict)
}

/// The transition alone.
async fn step(
    app: &App,
    actor: &Actor,
    task: TaskId,
    choose: impl Fn(&SeenJob, &SeenTask) -> Result<(Event, Commit), OpError>,
) -> Result<Verdict, OpError> {
    let mut remembered = app.store.remembered(task).await?;
    for _ in 0..TRIES {
        let (seen, sure) = match remembered.take() {
            Some(seen) => (seen, false),
            None => (app.store.seen_job_of(task).await?.ok_or_else(super::no_such_task)?, true),
        };
        let this = seen.task(task).ok_or_else(super::no_such_task)?;
        let (event, extra) = match choose(&seen, this) {
            Err(_) if !sure => continue,
            chosen => chosen?,
        };
        let next = match this.task.on(&event, seen.now, &app.policy(&seen.job.policy)) {
            Ok(next) => next,
            Err(_) if !sure => continue,
            Err(refusal) => return Ok(Verdict::Refused(refusal, Box::new(seen))),
        };
        let (mut commit, decided) = transition(&seen, this, &next, actor, app.retention(), app.store.writers())?;
        commit.join(extra);
        match app.store.commit(commit).await {
            Ok(()) => {
                ring(app, &next.wakes, &seen.job, this.row.need_id);
                app.store.remember(decided.after.clone());
                return Ok(Verdict::Applied(Box::new(Applied { seen, next, decided })));
            }
            Err(StoreError::Conflict(Conflicting::Nonce)) => return Err(replayed()),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OpError::Unavailable("this task keeps changing; send the request again".to_owned()))
}

/// What follows from a transition: the siblings of a failed task are stopped, the dependents of an ended job begin or fail
/// in their turn. Each of these is a commit of its own; dependents are the janitor's business as well, so that a crash in
/// between costs time only. Chains of jobs may be long, hence a queue and no recursion.
pub(crate) async fn consequences(app: &App, actor: &Actor, applied: &Applied) {
    let mut queue = follow_up(app, actor, applied).await;
    while let Some(task) = queue.pop_front() {
        match settle(app, actor, task).await {
            Ok(Some(applied)) => queue.append(&mut follow_up(app, actor, &applied).await),
            Ok(None) => {}
            Err(error) => left_to_the_janitor(&error),
        }
    }
}

/// Something that a transition asks to be looked at.
enum Settle {
    Sibling(TaskId),
    Dependent(TaskId),
}

async fn follow_up(app: &App, actor: &Actor, applied: &Applied) -> VecDeque<Settle> {
    let mut queue = VecDeque::new();
    let this = &applied.next.task;
    if this.state.status() == TaskStatus::Failed && applied.decided.outcome.is_none() {
        let others = applied.seen.tasks.iter().map(|seen| &seen.task).filter(|other| other.id != this.id);
        queue.extend(others.filter(|other| !other.state.status().is_terminal()).map(|other| Settle::Sibling(other.id)));
    }
    if applied.decided.outcome.is_some() {
        let job = applied.seen.job.id;
        if applied.decided.awaited.as_ref().is_some_and(Awaited::is_so) {
            match app.store.dependents(job, DEPENDENTS).await {
                Ok(tasks) => queue.extend(tasks.into_iter().map(|(task, _)| Settle::Dependent(task))),
                Err(error) => left_to_the_janitor(&error.into()),
            }
        }
        tracing::info!(
            job.id = %job, status = %applied.decided.status, actor = actor.name,
            "job {job} has ended: {}", applied.decided.status
        );
    }
    queue
}

async fn settle(app: &App, actor: &Actor, settle: Settle) -> Result<Option<Applied>, OpError> {
    let (task, event) = match settle {
        Settle::Sibling(task) => {
            (task, Some(Event::CancelRequested { by: actor.name.clone(), reason: CancelReason::SiblingFailed }))
        }
        Settle::Dependent(task) => (task, super::unblock::look(app, task).await?),
    };
    let Some(event) = event else { return Ok(None) };
    match step(app, actor, task, |_, _| Ok((event.clone(), Commit::default()))).await? {
        Verdict::Applied(applied) => Ok(Some(*applied)),
        Verdict::Refused(..) => Ok(None),
    }
}

fn left_to_the_janitor(error: &OpError) {
    tracing::warn!(%error, "what follows from the end of a job is left to the janitor");
}

/// Rings the bells of some wakes.
pub(crate) fn ring(app: &App, wakes: &[Wake], job: &JobRow, need: i64) {
    for wake in wakes {
        app.ring(&match wake {
            Wake::Queue => Nudge::Queue(need),
            Wake::Worker(id) => Nudge::Worker(app.workers.owner(id), id.clone()),
            Wake::Followers => Nudge::Job(job.requester.clone(), job.id),
        });
    }
}

/// A refusal as a worker is told. To one that was never given the task there is no such task.
pub(crate) async fn refused_to(
    app: &App,
    worker: &WorkerId,
    refusal: &Refusal,
    seen: &SeenJob,
    task: TaskId,
) -> Result<OpError, OpError> {
    let stranger = *refusal == Refusal::StaleLease && !app.store.was_given(task, worker).await?;
    Ok(if stranger { super::no_such_task() } else { refused(refusal, seen, task) })
}

/// A refusal as its caller is told.
pub(crate) fn refused(refusal: &Refusal, seen: &SeenJob, task: TaskId) -> OpError {
    let code = match refusal {
        Refusal::StaleLease => Code::StaleLease,
        Refusal::TooLate => Code::TooLate,
        Refusal::Taken
        | Refusal::NotBefore { .. }
        | Refusal::Avoided { .. }
        | Refusal::LeaseNotOver { .. }
        | Refusal::WrongState { .. }
        | Refusal::AlreadyRecorded => Code::WrongState,
    };
    let state = seen.task(task).map(|seen| &seen.task.state);
    OpError::Refused(Box::new(Refused {
        code,
        detail: refusal.to_string(),
        errors: Vec::new(),
        next_seq: None,
        state: state.map(|state| state.status()),
        outcome: state.and_then(|state| state.outcome()),
    }))
}
