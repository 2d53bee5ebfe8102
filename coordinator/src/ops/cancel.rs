//! Somebody wants a job stopped.

use ffleet_protocol::{
    id::JobId,
    job::Canceled,
    problem::Code,
    state::{CancelReason, TaskStatus},
};

use super::{
    Caller, OpError, no_such_job,
    transition::{self, Verdict, apply},
};
use crate::{
    app::App,
    domain::{Event, Refusal},
    store::{
        commit::Commit,
        tasks::{Actor, SeenJob},
    },
};

/// The requester (or an admin) wants the job stopped. Asking again changes nothing and answers where it stands.
pub async fn cancel(app: &App, who: &Caller, id: JobId) -> Result<Canceled, OpError> {
    let job = app.store.job(id).await?.filter(|job| who.acts_for(&job.requester)).ok_or_else(no_such_job)?;
    if job.status.is_terminal() {
        return Ok(Canceled { id, status: job.status });
    }
    stop(app, &who.actor(), id, CancelReason::Requested, &who.once(), |_| true).await
}

/// Stops every task of a job that has not ended, if `still` holds when that is decided.
pub(crate) async fn stop(
    app: &App,
    actor: &Actor,
    id: JobId,
    reason: CancelReason,
    once: &Commit,
    still: impl Fn(&SeenJob) -> bool,
) -> Result<Canceled, OpError> {
    let seen = app.store.seen_job(id).await?.ok_or_else(no_such_job)?;
    let mut once = once.clone();
    for task in seen.tasks.iter().filter(|seen| !seen.task.state.status().is_terminal()) {
        let task = task.task.id;
        let event = Event::CancelRequested { by: actor.name.clone(), reason };
        let extra = std::mem::take(&mut once);
        let verdict =
            apply(
                app,
                actor,
                task,
                |seen, _| {
                    if still(seen) { Ok((event.clone(), extra.clone())) } else { Err(no_longer()) }
                },
            )
            .await?;
        match verdict {
            Verdict::Applied(_) => {}
            // It has ended meanwhile, or is being stopped already: that is what was wanted.
            Verdict::Refused(Refusal::WrongState { status }, _)
                if status.is_terminal() || status == TaskStatus::Canceling => {}
            Verdict::Refused(Refusal::AlreadyRecorded, _) => {}
            Verdict::Refused(refusal, seen) => return Err(transition::refused(&refusal, &seen, task)),
        }
    }
    let status = app.store.job(id).await?.ok_or_else(no_such_job)?.status;
    Ok(Canceled { id, status })
}

fn no_longer() -> OpError {
    OpError::refused(Code::WrongState, "the reason to stop this job no longer holds")
}
