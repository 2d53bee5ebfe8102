//! One lease that this worker holds, as its heartbeats and its attempt share it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ffleet_protocol::{
    log::Progress,
    state::{CancelReason, Phase},
    task::{HeldLease, NumberedSignal},
    worker::LeaseRef,
};
use tokio::sync::{mpsc, watch};

use crate::clock::Moment;

/// What an attempt is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Stop the program and report its end.
    Stop(CancelReason),
    /// The lease is gone: kill the program and forget it.
    Lost,
    /// Pass a signal on, unless it was passed on before.
    Signal(NumberedSignal),
}

/// A lease, and what is known about the attempt.
#[derive(Debug)]
pub struct Held {
    /// Which.
    pub lease: LeaseRef,
    patience: Duration,
    /// When the accept, or the last heartbeat, that was answered had been *sent*: the lease was renewed at that moment or
    /// later. Before the accept nothing runs, and the clock only says when to stop waiting.
    renewed: watch::Sender<Moment>,
    orders: mpsc::UnboundedSender<Order>,
    told: Mutex<Told>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Told {
    phase: Phase,
    signals_seen: u32,
    last_signal: u32,
    stopping: bool,
}

/// The clock is looked at so often at least. A timer alone would stand still while the machine sleeps.
const LOOK: Duration = Duration::from_millis(500);

impl Held {
    /// A lease that was granted and is trusted for `patience` after each answer.
    #[must_use]
    pub fn new(lease: LeaseRef, patience: Duration, now: Moment) -> (Arc<Self>, mpsc::UnboundedReceiver<Order>) {
        let (orders, taken) = mpsc::unbounded_channel();
        let told = Told { phase: Phase::Preflight, signals_seen: 0, last_signal: 0, stopping: false };
        let held = Self {
            lease,
            patience,
            renewed: watch::Sender::new(now),
            orders,
            told: Mutex::new(told),
            progress: watch::Sender::new(Progress::default()),
        };
        (Arc::new(held), taken)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that renewed the lease was sent at `sent` and has been answered.
    pub fn renew(&self, sent: Moment) {
        self.renewed.send_if_modified(|renewed| {
            let later = sent > *renewed;
            *renewed = sent.max(*renewed);
            later
        });
    }

    /// How much longer the lease may be trusted.
    #[must_use]
    pub fn left(&self, now: Moment) -> Duration {
        self.renewed.borrow().after(self.patience).left(now)
    }

    /// Returns when the lease must not be trusted any more.
    pub async fn over(&self) {
        loop {
            let left = self.left(Moment::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    /// Tells the attempt. Each signal and the first stop are told once, however often heartbeats repeat them.
    pub fn order(&self, order: Order) {
        let mut told = self.told();
        let fresh = match &order {
            Order::Signal(signal) => {
                let fresh = signal.number > told.last_signal;
                told.last_signal = told.last_signal.max(signal.number);
                fresh
            }
            Order::Stop(_) => !std::mem::replace(&mut told.stopping, true),
            Order::Lost => true,
        };
        if fresh {
            // An attempt that is not there any more needs no orders.
            let _ = self.orders.send(order);
        }
    }

    /// What the attempt is busy with now.
    pub fn set_phase(&self, phase: Phase) {
        self.told().phase = phase;
        self.progress.send_modify(|progress| progress.phase = Some(phase));
    }

    /// How far it is; the phase stays.
    pub fn set_progress(&self, mut progress: Progress) {
        progress.phase = Some(self.told().phase);
        self.progress.send_replace(progress);
    }

    /// How far it is, for whoever tells the coordinators.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// A signal has reached the program.
    pub fn signal_passed(&self, number: u32) {
        let mut told = self.told();
        told.signals_seen = told.signals_seen.max(number);
    }

    /// As a heartbeat lists it.
    #[must_use]
    pub fn listed(&self) -> HeldLease {
        let LeaseRef { task, epoch, token } = self.lease;
        let told = self.told();
        let progress = self.progress.borrow().clone();
        let progress = (progress != Progress::default()).then_some(progress);
        HeldLease { task, epoch, token, phase: told.phase, progress, signals_seen: told.signals_seen }
    }
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::{
        id::{TaskId, Token},
        state::SignalKind,
    };

    use super::*;

    fn lease() -> LeaseRef {
        LeaseRef { task: TaskId::new(), epoch: 1, token: Token::new() }
    }

    #[test]
    fn the_lease_counts_from_the_last_sending_that_was_answered() {
        let start = Moment::now();
        let s = Duration::from_secs;
        let (held, _orders) = Held::new(lease(), s(28), start);
        assert_eq!(held.left(start.after(s(8))), s(20));
        held.renew(start.after(s(10)));
        assert_eq!(held.left(start.after(s(12))), s(26));
        held.renew(start.after(s(5)));
        assert_eq!(held.left(start.after(s(12))), s(26), "an answer that comes late takes nothing back");
        assert_eq!(held.left(start.after(s(38))), Duration::ZERO);
        assert_eq!(held.left(start.after(s(1000))), Duration::ZERO);
    }

    #[test]
    fn orders_are_told_once() {
        let (held, mut orders) = Held::new(lease(), Duration::from_secs(28), Moment::now());
        let signal = |number| Order::Signal(NumberedSignal { number, signal: SignalKind::Quit });
        for number in [1, 2, 1, 2, 3] {
            held.order(signal(number));
        }
        held.order(Order::Stop(CancelReason::Requested));
        held.order(Order::Stop(CancelReason::ClientGone));
        let mut told = Vec::new();
        while let Ok(order) = orders.try_recv() {
            told.push(order);
        }
        assert_eq!(told, [signal(1), signal(2), signal(3), Order::Stop(CancelReason::Requested)]);
    }

    #[test]
    fn heartbeats_list_what_the_attempt_told() {
        let (held, _orders) = Held::new(lease(), Duration::from_secs(28), Moment::now());
        assert_eq!((held.listed().phase, held.listed().progress), (Phase::Preflight, None));
        held.set_phase(Phase::Encoding);
        held.set_progress(Progress { frame: Some(5), ..Progress::default() });
        held.signal_passed(2);
        held.signal_passed(1);
        let listed = held.listed();
        assert_eq!((listed.phase, listed.signals_seen), (Phase::Encoding, 2));
        let progress = Progress { frame: Some(5), phase: Some(Phase::Encoding), ..Progress::default() };
        assert_eq!(listed.progress, Some(progress));
    }
}
