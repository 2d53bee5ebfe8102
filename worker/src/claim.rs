//! Claiming work while there is room for it. The claim itself is the long poll: a coordinator listens, looks and waits, so
//! a job that is submitted while the worker waits is granted at once, and the end of the wait is the floor.
//!
//! A coordinator may be told to let nobody wait for long. Then nudges, and without them a pause, say when to ask again.
//!
//! Each claim carries a fresh token, and is repeated with the same one until somebody has answered: a lost answer strands
//! no task.

use std::{sync::Arc, time::Duration};

use ffleet_client::RetryOptions;
use ffleet_protocol::{
    id::Token,
    limits::LONG_POLL_S,
    state::WorkerState,
    task::{ClaimRequest, Grant},
};

use tokio::time::Instant;

use crate::agent::{Refusal, Worker, reject};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// An answer in vain that came sooner was not waited for.
const WAITED: Duration = Duration::from_secs(5);

/// Claims for ever; dropped when the worker takes no more work.
pub async fn run(worker: Arc<Worker>) {
    let api = worker.api.with_retry(RetryOptions { deadline: Duration::ZERO, try_timeout: Duration::from_secs(10) });
    let mut pause = FIRST_PAUSE;
    // The token of a claim that was sent and not answered.
    let mut open: Option<Token> = None;
    // Answers in a row that were in vain and came at once.
    let mut hasty = 0_u32;
    loop {
        let free_slots = room(&worker).await;
        let token = *open.get_or_insert_with(Token::new);
        worker.set_claiming(Some(token));
        let request = ClaimRequest {
            worker: worker.id().clone(),
            incarnation: worker.incarnation,
            token,
            free_slots,
            wait_s: LONG_POLL_S,
        };
        let asked = Instant::now();
        match api.claim(&request).await {
            Ok(answer) => {
                let in_vain = answer.is_none() && asked.elapsed() < WAITED;
                take(&worker, answer.map(|answer| answer.grants).unwrap_or_default());
                open = None;
                worker.set_claiming(None);
                pause = FIRST_PAUSE;
                hasty = if in_vain { hasty + 1 } else { 0 };
                match hasty {
                    // A coordinator that leaves answers everybody at once: another one is asked, and it again when it is back.
                    0 | 1 => {}
                    2 => tokio::time::sleep(FIRST_PAUSE).await,
                    _ => worker.ears.work(asked).await,
                }
            }
            Err(error) => {
                match worker.heed(&error) {
                    Refusal::Later => tracing::debug!(%error, "a claim was not answered"),
                    Refusal::Final | Refusal::Nonsense => {
                        tracing::warn!(%error, "a claim was refused");
                        open = None;
                        worker.set_claiming(None);
                    }
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn take(worker: &Arc<Worker>, grants: Vec<Grant>) {
    for grant in grants {
        if worker.free_slots() == 0 {
            reject(worker, &grant, "the worker has no free slot");
        } else {
            worker.begin(grant);
        }
    }
}

/// Waits until the coordinators want this worker to work and a slot is free; how many are.
async fn room(worker: &Worker) -> u32 {
    let mut fleet = worker.fleet.subscribe();
    loop {
        let ended = worker.leases.changed();
        let wanted = match *fleet.borrow_and_update() {
            // Offline is how a worker is seen after a silence, until its next heartbeat. Of a word that only newer
            // coordinators know, they know the meaning when they are asked.
            WorkerState::Online | WorkerState::Offline | WorkerState::Unknown => true,
            WorkerState::Paused | WorkerState::Draining => false,
        };
        let free = worker.free_slots();
        if wanted && free > 0 {
            return free;
        }
        tokio::select! {
            () = ended => {}
            _ = fleet.changed() => {}
        }
    }
}
