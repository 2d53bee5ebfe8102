//! Heartbeats: they renew the leases they list, and bring back what is to become of each.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ffleet_client::{ApiError, RetryOptions};
use ffleet_protocol::{
    state::WorkerState,
    task::{Order as Verdicts, Verdict},
    worker::{HeartbeatAnswer, HeartbeatRequest},
};

use super::{Order, Worker, strays};
use crate::clock::Moment;

/// Between heartbeats while nobody answers.
const FAILING: Duration = Duration::from_secs(1);
/// How long one coordinator is waited for. The beat after a lost one must still find the lease alive.
const TRY: Duration = Duration::from_secs(5);

/// Beats for ever.
pub async fn run(worker: Arc<Worker>, mut every: Duration) {
    let mut failing = false;
    loop {
        let sent = Moment::now();
        let pause = match once(&worker).await {
            Ok(next) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("the coordinators answer again");
                }
                every = next;
                every
            }
            Err(error) => {
                worker.heed(&error);
                if std::mem::replace(&mut failing, true) {
                    tracing::debug!(%error, "heartbeat failed again");
                } else {
                    tracing::warn!(%error, "heartbeat failed; trying every second");
                }
                FAILING.min(every)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause.saturating_sub(Moment::now().left(sent))) => {}
            () = worker.beat_now.notified() => {}
        }
    }
}

/// Beats once and does what the answer says; how long until the next beat.
pub async fn once(worker: &Arc<Worker>) -> Result<Duration, ApiError> {
    let request = HeartbeatRequest {
        incarnation: worker.incarnation,
        beat: worker.beat.fetch_add(1, Ordering::Relaxed) + 1,
        leases: worker.leases.listed(),
        draining: worker.stages.draining.is_cancelled(),
        hearing: Some(worker.ears.hearing()),
    };
    let api = worker.api.with_retry(RetryOptions { deadline: Duration::ZERO, try_timeout: TRY });
    let sent = Moment::now();
    let answer = api.heartbeat(worker.id(), &request).await?;
    let next = Duration::from_secs(answer.heartbeat_s.max(1));
    take(worker, answer, sent);
    Ok(next)
}

fn take(worker: &Arc<Worker>, answer: HeartbeatAnswer, sent: Moment) {
    for verdict in answer.verdicts {
        judge(worker, verdict, sent);
    }
    strays::take(worker, answer.unknown_to_you);
    match answer.state {
        WorkerState::Draining if !worker.stages.draining.is_cancelled() => {
            tracing::info!("the coordinators ask this worker to finish what runs and leave");
            worker.stages.draining.cancel();
        }
        WorkerState::Draining
        | WorkerState::Online
        | WorkerState::Paused
        | WorkerState::Offline
        | WorkerState::Unknown => {}
    }
    let before = worker.fleet.send_replace(answer.state);
    if before != answer.state {
        tracing::info!(state = %answer.state, "the coordinators see this worker as {}", answer.state);
    }
}

fn judge(worker: &Worker, verdict: Verdict, sent: Moment) {
    let Some(held) = worker.leases.get(verdict.task, verdict.epoch) else { return };
    match verdict.order {
        Verdicts::Continue => held.renew(sent),
        Verdicts::Stop { reason } => {
            held.renew(sent);
            held.order(Order::Stop(reason));
        }
        Verdicts::Lost => held.order(Order::Lost),
        Verdicts::Unknown => tracing::warn!(
            task = %verdict.task,
            "a newer coordinator orders what this version of the worker does not know; the lease is not renewed by it"
        ),
    }
    for signal in verdict.signals {
        held.order(Order::Signal(signal));
    }
}
