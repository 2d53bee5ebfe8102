//! Hears what brokers bring: that something is about this worker's own tasks, or that there may be work. What is heard is only
//! a reason to look, and not too often: whoever breaks into a broker can do no more than that.
//!
//! While a broker is heard, no request waits at a coordinator for news of this worker. A claim that waits there stays, though:
//! of those who wait, the coordinator wakes one that fits, where the same nudge would have the whole fleet ask. Only where
//! claims cannot wait, nudges say when to ask.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use ffleet_nudges::{Brokers, Interest, Transport};
use ffleet_protocol::{
    id::AccountId,
    state::Carrier,
    topic::Topic,
    worker::{Hearing, Missing},
};
use tokio::{sync::Notify, time::Instant};

use super::Worker;

/// Between two looks that nudges are the reason for.
const APART: Duration = Duration::from_secs(1);
/// Between two claims where none can wait, without nudges and with them.
const POLL: Duration = Duration::from_secs(5);
const RELAXED: Duration = Duration::from_secs(30);
/// Whether brokers still answer is looked at so often.
const LOOK: Duration = Duration::from_millis(500);

/// The brokers that this worker listens to, if any.
#[derive(Debug, Default)]
pub struct Ears {
    brokers: OnceLock<Brokers>,
    /// A nudge about this worker's own tasks.
    own: Notify,
    /// A nudge about work.
    queue: Notify,
    /// The same, no more often than every [`APART`].
    work: Notify,
}

/// Begins to listen, when it is known whose worker this is: its nudges carry that name.
pub fn open(worker: &Arc<Worker>, account: Option<&AccountId>) {
    let notify = &worker.config.notify;
    if (notify.amqp.is_none() && notify.mqtt.is_none()) || worker.ears.brokers.get().is_some() {
        return;
    }
    let Some(account) = account else {
        tracing::warn!(
            "the coordinator is of an older version and does not say which nudges are this worker's; they go unheard"
        );
        return;
    };
    let interest = Interest::Worker(account.clone(), worker.id().clone());
    let name = format!("ffleet-worker-{}", worker.id());
    let listener = Arc::downgrade(worker);
    let started =
        Brokers::start(notify, worker.config.readers(), &name, &interest, move |topic| heard(&listener, topic));
    match started {
        Ok(brokers) => {
            if worker.ears.brokers.set(brokers).is_ok() {
                tokio::spawn(pass_on(Arc::downgrade(worker)));
            }
        }
        Err(error) => tracing::error!(%error, "no broker is listened to"),
    }
}

fn heard(worker: &Weak<Worker>, topic: &Topic) {
    let Some(worker) = worker.upgrade() else { return };
    match topic {
        Topic::Worker(id) if id == worker.id() => worker.ears.own.notify_one(),
        Topic::Queue(_) => worker.ears.queue.notify_one(),
        // Not ours: somebody else's, or made up.
        Topic::Worker(_) | Topic::Job(_) => {}
    }
}

/// A heartbeat brings whatever is to become of this worker's tasks. A flood of nudges is one beat now and then.
async fn pass_on(worker: Weak<Worker>) {
    let mut last: [Option<Instant>; 2] = [None; 2];
    loop {
        let Some(worker) = worker.upgrade() else { return };
        let ears = &worker.ears;
        tokio::select! {
            () = after(&ears.own, last[0]) => {
                last[0] = Some(Instant::now());
                worker.beat_now.notify_one();
            }
            () = after(&ears.queue, last[1]) => {
                last[1] = Some(Instant::now());
                ears.work.notify_one();
            }
            () = tokio::time::sleep(RELAXED) => {}
        }
    }
}

/// The next nudge, not before the last one is long enough ago.
async fn after(nudges: &Notify, last: Option<Instant>) {
    if let Some(last) = last {
        tokio::time::sleep_until(last + APART).await;
    }
    nudges.notified().await;
}

impl Ears {
    /// Whether a broker brings nudges now.
    #[must_use]
    pub fn hear(&self) -> bool {
        self.brokers.get().is_some_and(Brokers::any_answers)
    }

    /// Returns when no broker brings nudges.
    pub async fn deaf(&self) {
        while self.hear() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for work where claims do not wait: until a nudge, and without any until it is time to ask by ourselves. With
    /// nudges that is later, and soon again when they stop.
    pub async fn work(&self, asked: Instant) {
        loop {
            let due = asked + if self.hear() { RELAXED } else { POLL };
            let now = Instant::now();
            if now >= due {
                return;
            }
            tokio::select! {
                () = self.work.notified() => return,
                () = tokio::time::sleep_until(due.min(now + LOOK)) => {}
            }
        }
    }

    /// How this worker hears, for people.
    #[must_use]
    pub fn hearing(&self) -> Hearing {
        let states = self.brokers.get().map(Brokers::states).unwrap_or_default();
        let carrier = |transport| match transport {
            Transport::Amqp => Carrier::Amqp,
            Transport::Mqtt => Carrier::Mqtt,
        };
        let by =
            states.iter().find(|state| state.connected).map_or(Carrier::LongPoll, |state| carrier(state.transport));
        let missing = states.iter().find(|state| !state.connected);
        Hearing { by, missing: missing.map(|state| Missing { carrier: carrier(state.transport), since: state.since }) }
    }
}
