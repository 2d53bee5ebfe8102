//! Leases that the coordinators say this worker holds and that it did not list: grants whose answer was lost, and attempts
//! that it has dropped.

use std::sync::Arc;

use ffleet_protocol::{
    state::TaskStatus,
    task::{Exit, FinishRequest, Grant},
};

use super::{Ending, Worker};
use crate::attempt;

/// Deals with each of them.
pub fn take(worker: &Arc<Worker>, grants: Vec<Grant>) {
    for grant in grants {
        let here = worker.leases.get(grant.task, grant.epoch).is_some();
        // The claim is still being answered, and will be repeated until it is.
        if here || worker.is_claiming(grant.token) {
            continue;
        }
        match (worker.leases.ending(grant.task, grant.epoch), grant.status) {
            // The answer was made before the end was taken.
            (Some(Ending::Told), _) => {}
            // A program is started only after the coordinator has taken the accept, so nothing can run twice.
            (None, TaskStatus::Assigned) => begin_or_reject(worker, grant),
            (Some(Ending::Dropped), _)
            | (
                None,
                TaskStatus::Blocked
                | TaskStatus::Pending
                | TaskStatus::Running
                | TaskStatus::Publishing
                | TaskStatus::Canceling
                | TaskStatus::Completed
                | TaskStatus::Failed
                | TaskStatus::Canceled
                | TaskStatus::Unknown,
            ) => hand_back(worker, &grant),
        }
    }
}

fn begin_or_reject(worker: &Arc<Worker>, grant: Grant) {
    if worker.stages.draining.is_cancelled() {
        reject(worker, &grant, "the worker is leaving");
    } else if worker.free_slots() == 0 {
        reject(worker, &grant, "the worker has no free slot");
    } else {
        tracing::info!(task = %grant.task, epoch = grant.epoch, "taking on a task whose grant got lost on its way");
        worker.begin(grant);
    }
}

/// Gives a task back that was never begun here.
pub fn reject(worker: &Arc<Worker>, grant: &Grant, reason: &str) {
    let (worker, grant, reason) = (Arc::clone(worker), grant.clone(), reason.to_owned());
    worker.clone().attempts.spawn(async move { attempt::reject(&worker, &grant, reason).await });
}

/// Gives an attempt back that this worker has stopped, instead of letting its lease run out: nobody has to wait for that.
fn hand_back(worker: &Arc<Worker>, grant: &Grant) {
    // Noted first, so that the next heartbeat does not tell it twice.
    worker.leases.note(grant.task, grant.epoch, Ending::Told);
    let exit = if grant.status == TaskStatus::Canceling { Exit::Stopped } else { Exit::HandedBack };
    let request = FinishRequest {
        worker: worker.id().clone(),
        incarnation: worker.incarnation,
        epoch: grant.epoch,
        token: grant.token,
        exit,
        failure: None,
        message: "the worker had no answer for too long and stopped the program".to_owned(),
        last_seq: grant.next_seq.saturating_sub(1),
        tail: String::new(),
        outputs: Vec::new(),
    };
    let (worker, task, epoch) = (Arc::clone(worker), grant.task, grant.epoch);
    worker.clone().attempts.spawn(async move {
        match worker.api.finish(task, &request).await {
            Ok(_) => tracing::info!(%task, epoch, "handed back an attempt that was stopped in silence"),
            Err(error) => {
                worker.heed(&error);
                worker.leases.note(task, epoch, Ending::Dropped);
                tracing::debug!(%task, epoch, %error, "an attempt could not be handed back");
            }
        }
    });
}
