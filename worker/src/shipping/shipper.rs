//! Sends a task's records and progress, in order, until the coordinator has them all or wants them no more.

use std::{sync::Arc, time::Duration};

use ffleet_client::{Api, ApiError};
use ffleet_protocol::{
    id::{Incarnation, WorkerId},
    log::{LogBatch, Progress, Record},
    problem::Code,
    worker::LeaseRef,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::Spool;
use crate::agent::{Refusal, refusal};

/// Bytes of records that are sent together, and that are sent without waiting for more.
pub(super) const BATCH: usize = 256 * 1024;
/// How long records wait for company.
const PACE: Duration = Duration::from_millis(100);
/// How often progress is told. Coordinators write every report: one that was left out might be the last for a long time.
const PROGRESS: Duration = Duration::from_secs(2);
/// What a task is busy with in its first moments is not worth a call of its own; a short one ends before.
const FIRST_PROGRESS: Duration = Duration::from_millis(200);
/// Between tries that a coordinator refused for a reason of its own.
const PAUSE: Duration = Duration::from_secs(1);

/// How sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shipped {
    /// The coordinator has every record.
    All,
    /// The attempt is over for the coordinator, and it takes nothing more.
    Stale,
}

/// Sends the records of one attempt.
pub struct Shipper {
    /// How to reach coordinators.
    pub api: Api,
    /// In whose name.
    pub worker: WorkerId,
    /// This life of the worker.
    pub incarnation: Incarnation,
    /// Whose records.
    pub lease: LeaseRef,
    /// Where they are.
    pub spool: Arc<Spool>,
    /// How far the attempt is.
    pub progress: watch::Receiver<Progress>,
}

impl Shipper {
    /// Sends until the spool is closed and empty.
    pub async fn run(&mut self) -> Shipped {
        let mut progress_due = Instant::now() + FIRST_PROGRESS;
        let mut last = Progress::default();
        loop {
            let closed = self.spool.is_closed();
            let records = self.next_batch().await;
            let told = self.progress.has_changed().unwrap_or(false);
            // The last word about progress goes with the last records. That the program has ended is told by its end.
            let due = if closed {
                !differs_in_phase_alone(&self.progress.borrow(), &last)
            } else {
                Instant::now() >= progress_due
            };
            let progress = (told && due).then(|| self.progress.borrow_and_update().clone());
            if records.is_empty() && progress.is_none() {
                if closed {
                    return Shipped::All;
                }
                self.wait(told, progress_due).await;
                continue;
            }
            if progress.is_some() {
                progress_due = Instant::now() + PROGRESS;
            }
            match self.send(records, progress.clone()).await {
                Sent::Yes => last = progress.unwrap_or(last),
                Sent::No => {}
                Sent::Stale => return Shipped::Stale,
            }
            // After the end there is no company to wait for, and the end itself waits for this.
            if !self.spool.is_closed() {
                tokio::select! {
                    () = sleep(PACE) => {}
                    () = self.spool.urgent() => {}
                }
            }
        }
    }

    async fn wait(&mut self, progress_told: bool, progress_due: Instant) {
        let spool = Arc::clone(&self.spool);
        tokio::select! {
            () = spool.changed() => {}
            // The sender lives as long as the attempt; without one there is nothing more to wait for on this side.
            Ok(()) = self.progress.changed(), if !progress_told => self.progress.mark_changed(),
            () = sleep_until(progress_due), if progress_told => {}
        }
    }

    /// Reading may touch the disk.
    async fn next_batch(&self) -> Vec<Record> {
        let spool = Arc::clone(&self.spool);
        tokio::task::spawn_blocking(move || spool.batch(BATCH)).await.unwrap_or_default()
    }

    async fn send(&mut self, records: Vec<Record>, progress: Option<Progress>) -> Sent {
        let told = progress.is_some();
        let last = records.last().map(Record::last_seq);
        let LeaseRef { task, epoch, token } = self.lease;
        let (worker, incarnation) = (self.worker.clone(), self.incarnation);
        let batch = LogBatch { worker, incarnation, epoch, token, records, progress };
        match self.api.append(task, &batch).await {
            Ok(answer) => {
                self.spool.settle(answer.next_seq);
                if last.is_some_and(|last| answer.next_seq <= last) {
                    tracing::warn!(%task, epoch, answer.next_seq, "the coordinator took only a part of the output");
                    sleep(PAUSE).await;
                }
                Sent::Yes
            }
            Err(error) => {
                if told {
                    // It was not heard, and nothing new may come for a long time.
                    self.progress.mark_changed();
                }
                self.refused(&error, last).await
            }
        }
    }

    async fn refused(&self, error: &ApiError, last: Option<u64>) -> Sent {
        let LeaseRef { task, epoch, .. } = self.lease;
        if let Some(next_seq) = error.problem().filter(|problem| problem.is(Code::LogGap)).and_then(|p| p.next_seq) {
            self.spool.rewind(next_seq);
            return Sent::No;
        }
        match refusal(error) {
            Refusal::Final => return Sent::Stale,
            Refusal::Later => tracing::debug!(%task, epoch, %error, "output waits for a coordinator"),
            Refusal::Nonsense => {
                tracing::error!(%task, epoch, %error, "the coordinator cannot take a batch of output");
                if let Some(last) = last {
                    self.spool.forfeit(last);
                }
            }
        }
        sleep(PAUSE).await;
        Sent::No
    }
}

fn differs_in_phase_alone(now: &Progress, before: &Progress) -> bool {
    Progress { phase: before.phase, ..now.clone() } == *before
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Yes,
    No,
    Stale,
}
