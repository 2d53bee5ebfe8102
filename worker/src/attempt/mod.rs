//! The story of one attempt: look before accepting, accept, run, report. It ends in exactly one of three ways: rejected,
//! reported, or dropped without a word because the lease is somebody else's now.

mod begin;
mod deliver;
mod end;
pub mod output;
mod preflight;
mod run;

use std::{sync::Arc, time::Duration};

use ffleet_protocol::{
    state::Phase,
    task::{AcceptRequest, Grant, NumberedSignal, RejectRequest},
};
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::{
    agent::{Ending, Held, Order, Refusal, Worker},
    clock::Moment,
};

pub use deliver::{hold, report_again};

/// Between tries of a call that nobody answered.
const PAUSE: Duration = Duration::from_millis(500);

/// Lives one attempt from its grant to its end.
pub async fn run(worker: Arc<Worker>, grant: Grant, held: Arc<Held>, orders: mpsc::UnboundedReceiver<Order>) {
    let span = tracing::info_span!("attempt", task = %grant.task, epoch = grant.epoch, job = %grant.job);
    async {
        let ending = Place { worker: &worker, held: &held, ending: Ending::Dropped };
        story(&worker, &grant, &held, orders).await.tell(ending);
    }
    .instrument(span)
    .await;
}

/// Frees the slot however the story ends, a panic included.
struct Place<'a> {
    worker: &'a Worker,
    held: &'a Held,
    ending: Ending,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.worker.leases.remove(self.held, self.ending);
    }
}

/// How a story ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The coordinators know.
    Yes,
    /// They do not, and what they know is theirs to find out.
    Dropped,
}

impl Told {
    fn tell(self, mut place: Place<'_>) {
        place.ending = match self {
            Self::Yes => Ending::Told,
            Self::Dropped => Ending::Dropped,
        };
    }
}

async fn story(
    worker: &Arc<Worker>,
    grant: &Grant,
    held: &Arc<Held>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> Told {
    let plan = match preflight::plan(worker, grant).await {
        Ok(plan) => plan,
        Err(reason) => {
            tracing::warn!(%reason, "rejected");
            reject(worker, grant, reason).await;
            return Told::Yes;
        }
    };
    match accept(worker, grant, held, &mut orders).await {
        Accepted::Yes { next_seq, early } => {
            held.set_phase(Phase::Starting);
            run::attempt(worker, grant, held, run::Orders { early, orders }, plan, next_seq).await
        }
        Accepted::Rejected => Told::Yes,
        Accepted::Lost => Told::Dropped,
    }
}

enum Accepted {
    Yes { next_seq: u64, early: Vec<NumberedSignal> },
    Rejected,
    Lost,
}

async fn accept(
    worker: &Arc<Worker>,
    grant: &Grant,
    held: &Held,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> Accepted {
    let request = AcceptRequest {
        worker: worker.id().clone(),
        incarnation: worker.incarnation,
        epoch: grant.epoch,
        token: grant.token,
    };
    // A repeated accept may be answered for the first one's sake, so the lease counts from the first one.
    let sent = Moment::now();
    let mut early = Vec::new();
    let accepting = async {
        loop {
            match worker.api.accept(grant.task, &request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => match worker.heed(&error) {
                    Refusal::Final => return Err(None),
                    Refusal::Later => tokio::time::sleep(PAUSE).await,
                    Refusal::Nonsense => return Err(Some(error)),
                },
            }
        }
    };
    tokio::select! {
        answer = accepting => match answer {
            Ok(answer) => {
                held.renew(sent);
                tracing::info!("accepted");
                Accepted::Yes { next_seq: answer.next_seq, early }
            }
            Err(None) => {
                tracing::info!("the task is somebody else's already");
                Accepted::Lost
            }
            Err(Some(error)) => {
                reject(worker, grant, format!("the coordinator does not take the accept: {error}")).await;
                Accepted::Rejected
            }
        },
        () = lost(orders, &mut early) => Accepted::Lost,
        () = held.over() => Accepted::Lost,
        () = worker.stages.superseded.cancelled() => Accepted::Lost,
        () = worker.stages.handing_back.cancelled() => {
            reject(worker, grant, "the worker is leaving".to_owned()).await;
            Accepted::Rejected
        }
    }
}

/// Returns when the lease is gone. A stop before the start means the same: the task is canceled where it stands. Signals
/// come once; the program will be told them as soon as it is there.
async fn lost(orders: &mut mpsc::UnboundedReceiver<Order>, early: &mut Vec<NumberedSignal>) {
    loop {
        match orders.recv().await {
            Some(Order::Lost | Order::Stop(_)) | None => return,
            Some(Order::Signal(signal)) => early.push(signal),
        }
    }
}

/// Gives a task back that was never begun. If nobody takes the rejection, the assignment times out.
pub async fn reject(worker: &Worker, grant: &Grant, reason: String) {
    let request = RejectRequest {
        worker: worker.id().clone(),
        incarnation: worker.incarnation,
        epoch: grant.epoch,
        token: grant.token,
        reason,
    };
    let api = worker.api.with_deadline(Duration::from_secs(5));
    if let Err(error) = api.reject(grant.task, &request).await {
        worker.heed(&error);
        tracing::warn!(task = %grant.task, %error, "the rejection was not taken");
    }
}
