//! Running the program: what happens to it between its start and its end, and who is told of the end.

use std::{sync::Arc, time::Duration};

use ffleet_protocol::{
    Timestamp,
    log::Progress,
    state::{Phase, SignalKind, Stream},
    task::{FinishRequest, Grant, NumberedSignal},
    worker::LeaseRef,
};
use nix::sys::signal::Signal;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    Told,
    begin::{self, Begun},
    deliver,
    end::{self, Cause, End},
    preflight::Plan,
};
use crate::{
    agent::{Held, Order, Worker},
    ffmpeg::args,
    process::{self, Control, Ended, Manner},
    reports::Report,
    shipping::{Shipped, Shipper, Spool, SpoolFile},
};

/// How long a `q` waits for the first media. FFmpeg that reads it before has nothing to put into its file, which then cannot
/// be played.
const MEDIA: Duration = Duration::from_secs(5);

/// What an attempt is told.
pub struct Orders {
    /// Signals that came before the program was there.
    pub early: Vec<NumberedSignal>,
    /// What comes from now on.
    pub orders: mpsc::UnboundedReceiver<Order>,
}

/// Runs an accepted attempt to its end.
pub async fn attempt(
    worker: &Arc<Worker>,
    grant: &Grant,
    held: &Arc<Held>,
    Orders { early, mut orders }: Orders,
    plan: Plan,
    next_seq: u64,
) -> Told {
    let place = SpoolFile {
        path: worker.state.spool(grant.task, grant.epoch),
        memory: worker.config.spool.memory_bytes,
        budget: Arc::clone(&worker.budget),
    };
    let spool = Arc::new(Spool::new(place, next_seq));
    let (stale, went_stale) = tokio::sync::oneshot::channel();
    let shipping = Shipping(tokio::spawn(ship(deliver::shipper(worker, held, &spool), stale)));

    let (end, tail) = match begin::begin(worker, grant, held, &plan, &spool).await {
        Err(end) => {
            tracing::warn!(end.message, "the program did not start");
            (end, String::new())
        }
        Ok(mut begun) => {
            held.set_phase(Phase::Encoding);
            let mut watched = Watch { worker, grant, held, begun: &mut begun, cause: None, ladder: None, typing: None };
            early.into_iter().for_each(|signal| watched.pass_on(signal));
            match watched.until_it_ends(&mut orders, went_stale).await {
                Fate::Ended { ended, cause } => conclude(&plan, &mut begun, ended, cause, &spool).await,
                Fate::Dropped => {
                    drop(shipping);
                    spool.discard();
                    return Told::Dropped;
                }
            }
        }
    };
    if let Some(failure) = end.failure {
        say(&spool, format!("failure: {failure}: {}", end.message));
    }
    tracing::info!(exit = ?end.exit, failure = ?end.failure, "{}", end.message);
    let report = report(worker, held.lease, end, tail, &spool);
    deliver::report(worker, held, report, spool, shipping).await
}

/// The task that sends output; it ends with whoever holds this.
pub struct Shipping(pub tokio::task::JoinHandle<Shipped>);

impl Drop for Shipping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ship(mut shipper: Shipper, stale: tokio::sync::oneshot::Sender<()>) -> Shipped {
    let shipped = shipper.run().await;
    if shipped == Shipped::Stale {
        // Nobody listens once the program has ended.
        let _ = stale.send(());
    }
    shipped
}

/// What became of a running program.
enum Fate {
    Ended {
        ended: Ended,
        cause: Option<Cause>,
    },
    /// The lease is gone; nothing is told.
    Dropped,
}

/// A running program, and what is being done to it.
struct Watch<'a> {
    worker: &'a Worker,
    grant: &'a Grant,
    held: &'a Held,
    begun: &'a mut Begun,
    cause: Option<Cause>,
    ladder: Option<Ladder>,
    typing: Option<Typing>,
}

/// A `q` that waits for something to finish.
struct Typing(tokio::task::JoinHandle<()>);

impl Typing {
    /// Without `progress` nobody knows what has been written, and nothing is waited for.
    fn start(control: &Control, progress: Option<watch::Receiver<Progress>>) -> Self {
        let control = control.clone();
        Self(tokio::spawn(async move {
            if let Some(mut progress) = progress {
                let media = |told: &Progress| told.frame > Some(0) || told.out_time_us > Some(0);
                let _ = tokio::time::timeout(MEDIA, progress.wait_for(media)).await;
            }
            control.quit();
        }))
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A stop that is under way, step by step; a harder one takes its place.
struct Ladder(tokio::task::JoinHandle<()>);

impl Ladder {
    fn start(control: &Control, manner: Manner) -> Self {
        let control = control.clone();
        Self(tokio::spawn(async move { process::stop(&control, manner).await }))
    }
}

impl Drop for Ladder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch<'_> {
    async fn until_it_ends(
        mut self,
        orders: &mut mpsc::UnboundedReceiver<Order>,
        mut went_stale: tokio::sync::oneshot::Receiver<()>,
    ) -> Fate {
        let control = self.begun.control.clone();
        let stdout_over = Arc::clone(&self.begun.drains.stdout_over);
        let limit = self.grant.timeout_s;
        let timeout = sleep(limit.map_or(Duration::MAX, Duration::from_secs));
        tokio::pin!(timeout);
        let stages = &self.worker.stages;
        loop {
            tokio::select! {
                biased;
                ended = control.ended() => {
                    return Fate::Ended { ended, cause: self.cause };
                }
                order = orders.recv() => match order {
                    Some(Order::Stop(reason)) => self.stop(Cause::Stopped(reason), false),
                    Some(Order::Signal(signal)) => self.pass_on(signal),
                    Some(Order::Lost) | None => return self.kill("the lease is gone").await,
                },
                Ok(()) = &mut went_stale => return self.kill("the coordinator refuses its output").await,
                () = stages.superseded.cancelled() => return self.kill("the worker is superseded").await,
                () = self.held.over() => return self.give_up().await,
                () = &mut timeout, if limit.is_some() && self.cause.is_none() => {
                    self.stop(Cause::TimedOut(limit.unwrap_or_default()), false);
                }
                () = stdout_over.notified(), if self.cause.is_none() => self.stop(Cause::StdoutTooLarge, false),
                () = stages.handing_back.cancelled(), if self.cause != Some(Cause::HandedBack) => {
                    // A program that somebody else wants stopped ends as their business, only sooner.
                    let cause = self.cause.unwrap_or(Cause::HandedBack);
                    self.stop(cause, true);
                    return self.hurry(cause).await;
                }
            }
        }
    }

    /// Begins to stop the program, unless it is being stopped already.
    fn stop(&mut self, cause: Cause, fast: bool) {
        if self.cause.is_some() && !fast {
            return;
        }
        tracing::info!(?cause, "stopping the program");
        self.cause = Some(cause);
        self.held.set_phase(Phase::Stopping);
        let stop = &self.worker.config.stop;
        let manner = if fast {
            Manner { quit: None, terminate: Duration::from_secs(stop.forced_s) }
        } else {
            Manner {
                quit: self.begun.knows_q.then(|| Duration::from_secs(stop.quit_s)),
                terminate: Duration::from_secs(stop.terminate_s),
            }
        };
        self.ladder = Some(Ladder::start(&self.begun.control, manner));
    }

    /// Waits for the end of a fast stop; only the loss of the lease comes in between.
    async fn hurry(&self, cause: Cause) -> Fate {
        let ended = self.begun.control.ended().await;
        Fate::Ended { ended, cause: Some(cause) }
    }

    fn pass_on(&mut self, signal: NumberedSignal) {
        let control = &self.begun.control;
        tracing::info!(number = signal.number, signal = %signal.signal, "passing a signal on");
        match signal.signal {
            SignalKind::Quit if self.begun.knows_q => {
                let progress = self.begun.tells_progress.then(|| self.held.progress());
                self.typing = Some(Typing::start(control, progress));
            }
            // Other programs have no `q`; this is the way to ask them to end well.
            SignalKind::Quit | SignalKind::Terminate => control.signal(Signal::SIGTERM),
            SignalKind::Interrupt => control.signal(Signal::SIGINT),
            // Counted as seen all the same, or it would be told with every heartbeat.
            SignalKind::Unknown => tracing::warn!("a signal that only newer workers know; nothing is passed on"),
        }
        self.held.signal_passed(signal.number);
        self.worker.beat_now.notify_one();
    }

    async fn kill(mut self, why: &str) -> Fate {
        tracing::warn!("killing the program: {why}");
        self.ladder = None;
        self.begun.control.kill();
        self.begun.control.ended().await;
        Fate::Dropped
    }

    /// Nobody has answered for so long that the lease may be somebody else's soon: the program must be dead by then.
    async fn give_up(mut self) -> Fate {
        tracing::warn!("no coordinator has renewed the lease in time; stopping the program");
        // Of a short lease little is left: half of it for SIGTERM, the rest for what the kernel takes to kill.
        let left = Duration::from_secs(self.grant.lease_s).saturating_sub(self.worker.patience(self.grant.lease_s));
        let terminate = Duration::from_secs(self.worker.config.stop.forced_s).min(left / 2);
        self.ladder = None;
        process::stop(&self.begun.control, Manner { quit: None, terminate }).await;
        Fate::Dropped
    }
}

/// After the end: reads the rest of the output and finds the name for what happened.
async fn conclude(plan: &Plan, begun: &mut Begun, ended: Ended, cause: Option<Cause>, spool: &Spool) -> (End, String) {
    if !begun.drains.finish().await {
        say(
            spool,
            "something that left the program's tree still holds its output; the rest is not waited for".to_owned(),
        );
    }
    let tail = begun.drains.tail();
    let inputs = args::inputs(&plan.args);
    if ended == Ended::Code(0)
        && let Some(words) = end::doubt(&tail)
    {
        say(spool, words);
    }
    (end::of_program(&plan.name, ended, cause, &tail, &inputs), tail)
}

/// The worker's own words in the output.
fn say(spool: &Spool, words: String) {
    spool.push(Stream::Worker, Timestamp::now(), words.into_bytes(), None);
}

fn report(worker: &Worker, lease: LeaseRef, end: End, tail: String, spool: &Spool) -> Report {
    let totals = spool.close();
    let finish = FinishRequest {
        worker: worker.id().clone(),
        incarnation: worker.incarnation,
        epoch: lease.epoch,
        token: lease.token,
        exit: end.exit,
        failure: end.failure,
        message: end.message,
        last_seq: totals.last_seq,
        tail,
        outputs: Vec::new(),
    };
    Report { lease, first_stdout: totals.first_stdout, finish }
}
