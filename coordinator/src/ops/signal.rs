//! Somebody wants a running program to stop in its own way. The task stays Running, and the exit decides.

use ffleet_nudges::Nudge;
use ffleet_protocol::{
    id::{JobId, TaskId},
    job::{Canceled, SignalRequest},
    problem::Code,
    state::TaskStatus,
    task::NumberedSignal,
};

use super::{Caller, OpError, no_such_job, replayed};
use crate::{
    app::App,
    store::{Conflicting, StoreError, tasks::add_signal},
};

/// Numbers the signal and tells the workers that run the job's tasks.
pub async fn signal(app: &App, who: &Caller, id: JobId, request: SignalRequest) -> Result<Canceled, OpError> {
    for _ in 0..16 {
        let seen = app.store.seen_job(id).await?.filter(|seen| who.acts_for(&seen.job.requester));
        let seen = seen.ok_or_else(no_such_job)?;
        let running: Vec<_> =
            seen.tasks.iter().filter(|seen| seen.task.state.status() == TaskStatus::Running).collect();
        if running.is_empty() {
            let detail = format!("job {id} is {}; only a running one takes signals", seen.job.status);
            return Err(OpError::refused(Code::WrongState, detail));
        }
        let mut commit = who.once();
        for task in &running {
            let number = task.signals.last().map_or(1, |last| last.number + 1);
            let mut signals = task.signals.clone();
            signals.push(NumberedSignal { number, signal: request.signal });
            add_signal(&mut commit, TaskId(task.row.id), task.row.version, &signals);
        }
        match app.store.commit(commit).await {
            Ok(()) => {}
            Err(StoreError::Conflict(Conflicting::Nonce)) => return Err(replayed()),
            Err(StoreError::Conflict(_)) => continue,
            Err(error) => return Err(error.into()),
        }
        for holder in running.iter().filter_map(|seen| seen.task.state.holder()) {
            app.ring(&Nudge::Worker(app.workers.owner(&holder.worker), holder.worker.clone()));
        }
        return Ok(Canceled { id, status: seen.job.status });
    }
    Err(OpError::Unavailable("this job keeps changing; send the request again".to_owned()))
}
