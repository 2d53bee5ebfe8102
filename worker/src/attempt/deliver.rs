//! Telling the end: kept on disk first, then told until a coordinator takes or refuses it, in this life or the next.

use std::{sync::Arc, time::Duration};

use ffleet_protocol::{problem::Code, state::Phase};
use tokio::time::sleep;
use tracing::Instrument;

use super::{Told, run::Shipping};
use crate::{
    agent::{Ending, Held, Refusal, Worker},
    clock::Moment,
    reports::Report,
    shipping::{Shipped, Shipper, Spool, SpoolFile},
};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whoever sends this attempt's output.
#[must_use]
pub fn shipper(worker: &Worker, held: &Held, spool: &Arc<Spool>) -> Shipper {
    Shipper {
        api: worker.api.with_deadline(Duration::from_secs(5)),
        worker: worker.id().clone(),
        incarnation: worker.incarnation,
        lease: held.lease,
        spool: Arc::clone(spool),
        progress: held.progress(),
    }
}

/// Keeps the end of an attempt that has just ended, and tells it.
pub async fn report(worker: &Arc<Worker>, held: &Held, report: Report, spool: Arc<Spool>, shipping: Shipping) -> Told {
    held.set_phase(Phase::Stopping);
    let (reports, kept, output) = (worker.reports.clone(), report.clone(), Arc::clone(&spool));
    let saved = tokio::task::spawn_blocking(move || {
        reports.save(&kept)?;
        output.persist()
    });
    match saved.await {
        Ok(Ok(())) => tracing::debug!("the end is kept until somebody takes it"),
        // A full disk must not keep the end from being told now.
        Ok(Err(error)) => tracing::error!(%error, "the final report cannot be kept on disk"),
        Err(_) => {}
    }
    until_told(worker, held, &report, &spool, Some(shipping)).await
}

/// Holds the lease of an attempt that ended in an earlier life. Before the first heartbeat, or its answer would call the
/// lease unknown here.
#[must_use]
pub fn hold(worker: &Worker, report: &Report) -> Arc<Held> {
    let (held, _orders) = Held::new(report.lease, Duration::MAX, Moment::now());
    held.set_phase(Phase::Stopping);
    worker.leases.add_ended(&held);
    held
}

/// Tells the end of an attempt of an earlier life.
pub async fn report_again(worker: Arc<Worker>, held: Arc<Held>, mut report: Report) {
    let span = tracing::info_span!("report", task = %report.lease.task, epoch = report.lease.epoch);
    async {
        tracing::info!("reporting an attempt that ended in an earlier life of this worker");
        report.finish.incarnation = worker.incarnation;
        let place = SpoolFile {
            path: worker.state.spool(report.lease.task, report.lease.epoch),
            memory: worker.config.spool.memory_bytes,
            budget: Arc::clone(&worker.budget),
        };
        let totals = report.totals();
        let told = match tokio::task::spawn_blocking(move || Spool::recovered(place, totals)).await {
            Ok(spool) => until_told(&worker, &held, &report, &Arc::new(spool), None).await,
            Err(_) => Told::Dropped,
        };
        worker.leases.remove(&held, if told == Told::Yes { Ending::Told } else { Ending::Dropped });
    }
    .instrument(span)
    .await;
}

/// Sends the rest of the output and then the end, until somebody has decided. What is not decided when the worker leaves
/// stays on disk.
async fn until_told(
    worker: &Arc<Worker>,
    held: &Held,
    report: &Report,
    spool: &Arc<Spool>,
    shipping: Option<Shipping>,
) -> Told {
    let telling = tell(worker, held, report, spool, shipping);
    let leaving = async {
        tokio::select! {
            () = worker.stages.leaving.cancelled() => {}
            () = worker.stages.superseded.cancelled() => {}
        }
    };
    tokio::select! {
        biased;
        () = telling => {
            worker.reports.forget(&report.lease);
            spool.discard();
            Told::Yes
        }
        () = leaving => Told::Dropped,
    }
}

async fn tell(worker: &Arc<Worker>, held: &Held, report: &Report, spool: &Arc<Spool>, mut shipping: Option<Shipping>) {
    let task = report.lease.task;
    let mut pause = FIRST_PAUSE;
    loop {
        let shipped = match shipping.take() {
            Some(mut running) => (&mut running.0).await.unwrap_or(Shipped::All),
            None => shipper(worker, held, spool).run().await,
        };
        if shipped == Shipped::Stale {
            // The finish is asked all the same: it may have been taken already, and its refusal is final.
            tracing::debug!("the coordinator takes no more output of this attempt");
        }
        match worker.api.with_deadline(Duration::from_secs(10)).finish(task, &report.finish).await {
            Ok(answer) => {
                tracing::info!(status = %answer.status, "reported");
                return;
            }
            Err(error) => {
                if let Some(next_seq) = error.problem().filter(|p| p.is(Code::LogGap)).and_then(|p| p.next_seq) {
                    spool.rewind(next_seq);
                    // Without a pause a coordinator that goes on saying so would be asked without end.
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                match worker.heed(&error) {
                    Refusal::Final => {
                        tracing::warn!(%error, "the end came too late; it is forgotten");
                        return;
                    }
                    Refusal::Nonsense => {
                        tracing::error!(%error, "the coordinator cannot take the end; it is forgotten");
                        return;
                    }
                    Refusal::Later => tracing::debug!(%error, "the end waits for a coordinator"),
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
