//! Passing on what this process is told: signals, and a typed `q`.
//!
//! A signal ends the job whether its program runs yet or not: what has not begun is canceled. A `q` belongs to a running
//! program, which then finishes its file; so it waits until there is one, and is typed again for the next one when a worker
//! was lost.

use std::{collections::VecDeque, time::Duration};

use ffleet_client::{Api, ApiError};
use ffleet_protocol::{
    id::JobId,
    log::FollowRecord,
    problem::Code,
    state::{JobStatus, SignalKind},
};
use tokio::task::JoinHandle;

/// Between tries to type a `q`.
const PAUSE: Duration = Duration::from_millis(200);
/// FFmpeg takes so many signals; with the next one it does not wait for its end any more.
const PATIENT_SIGNALS: u32 = 3;

/// What is to be passed on, and to what.
pub struct Steering {
    api: Api,
    job: JobId,
    signals: VecDeque<SignalKind>,
    signaled: u32,
    call: Option<(SignalKind, Call)>,
    quit: Quit,
}

/// Whether a `q` was typed here, and for which attempt it was passed on.
#[derive(Debug, Default)]
struct Quit {
    wanted: bool,
    running: bool,
    attempt: u32,
    told_attempt: u32,
}

/// A call that ends with its owner.
struct Call(JoinHandle<Told>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of passing something on.
enum Told {
    Yes,
    /// The program is not there at the moment, or nobody answered.
    NotYet,
    /// It is over, or nothing can be done.
    Over(Option<ApiError>),
}

impl Steering {
    /// Steers this job.
    #[must_use]
    pub fn new(api: Api, job: JobId) -> Self {
        Self { api, job, signals: VecDeque::new(), signaled: 0, call: None, quit: Quit::default() }
    }

    /// A signal has come. False when whoever sends them has lost patience.
    pub fn signal(&mut self, signal: SignalKind) -> bool {
        self.signaled += 1;
        self.signals.push_back(signal);
        self.next_call();
        self.signaled <= PATIENT_SIGNALS
    }

    /// Whether any signal has come.
    #[must_use]
    pub fn signaled(&self) -> bool {
        self.signaled > 0
    }

    /// A `q` was typed.
    pub fn quit(&mut self) {
        self.quit.wanted = true;
        self.next_call();
    }

    /// Something is known about the job.
    pub fn record(&mut self, record: &FollowRecord) {
        self.quit.record(record);
        self.next_call();
    }

    /// Returns when something was passed on that could not be, with what went wrong. Waiting for it may be given up and taken
    /// up again.
    pub async fn trouble(&mut self) -> ApiError {
        loop {
            let Some((signal, call)) = &mut self.call else { std::future::pending().await };
            let signal = *signal;
            let told = (&mut call.0).await.unwrap_or(Told::Over(None));
            self.call = None;
            if signal == SignalKind::Quit {
                match told {
                    Told::Yes | Told::Over(_) => self.quit.told_attempt = self.quit.attempt,
                    Told::NotYet => {}
                }
            }
            self.next_call();
            if let Told::Over(Some(error)) = told {
                return error;
            }
        }
    }

    /// Last words before this process goes without waiting for the job.
    pub async fn abandon(self) {
        let cancel = self.api.with_deadline(Duration::ZERO);
        // The job is canceled in any case when its client is silent for long.
        let _ = tokio::time::timeout(Duration::from_secs(1), cancel.cancel(self.job)).await;
    }

    /// One after the other, so that they arrive in order; signals before a `q`.
    fn next_call(&mut self) {
        if self.call.is_some() {
            return;
        }
        let (api, job) = (self.api.clone(), self.job);
        if let Some(signal) = self.signals.pop_front() {
            self.call = Some((signal, Call(tokio::spawn(pass_on(api, job, signal)))));
        } else if self.quit.is_due() {
            self.call = Some((SignalKind::Quit, Call(tokio::spawn(type_q(api, job)))));
        }
    }
}

impl Quit {
    fn record(&mut self, record: &FollowRecord) {
        match record {
            FollowRecord::Status { status, .. } => self.running = *status == JobStatus::Running,
            FollowRecord::Attempt { epoch, .. } => self.attempt = self.attempt.max(*epoch),
            FollowRecord::AttemptEnded { .. }
            | FollowRecord::Output { .. }
            | FollowRecord::Progress { .. }
            | FollowRecord::Cursor { .. }
            | FollowRecord::Outcome { .. }
            | FollowRecord::KeepAlive {}
            | FollowRecord::Unknown => {}
        }
    }

    fn is_due(&self) -> bool {
        self.wanted && self.running && self.told_attempt < self.attempt
    }
}

/// Sent once, because a repetition would be a second signal. When that does not work, the job is canceled instead, which may
/// be asked again and again.
async fn pass_on(api: Api, job: JobId, signal: SignalKind) -> Told {
    match api.signal(job, signal).await {
        Ok(_) => Told::Yes,
        Err(_) => match api.cancel(job).await {
            Ok(_) => Told::Yes,
            Err(error) if error.is(Code::NoSuchJob) || error.is(Code::TooLate) => Told::Over(None),
            Err(error) => Told::Over(Some(error)),
        },
    }
}

/// A second `q` does no harm.
async fn type_q(api: Api, job: JobId) -> Told {
    match api.signal(job, SignalKind::Quit).await {
        Ok(_) => Told::Yes,
        Err(error) if error.is(Code::WrongState) || error.is_passing() => {
            tokio::time::sleep(PAUSE).await;
            Told::NotYet
        }
        Err(error) => Told::Over(Some(error)),
    }
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::id::{TaskId, WorkerId};

    use super::*;

    #[test]
    fn a_q_waits_for_a_program_and_is_typed_for_each() {
        let (job, task) = (JobId::new(), TaskId::new());
        let status = |status| FollowRecord::Status { job, status };
        let attempt = |epoch| FollowRecord::Attempt { task, epoch, worker: WorkerId::new("box").unwrap() };
        let mut quit = Quit::default();
        let seen = |record: FollowRecord, quit: &mut Quit| {
            quit.record(&record);
            quit.is_due()
        };
        assert!(!seen(status(JobStatus::Pending), &mut quit));
        quit.wanted = true;
        assert!(!seen(status(JobStatus::Assigned), &mut quit));
        assert!(!seen(attempt(1), &mut quit));
        assert!(seen(status(JobStatus::Running), &mut quit));
        quit.told_attempt = quit.attempt;
        assert!(!seen(status(JobStatus::Running), &mut quit), "told once");
        assert!(!seen(status(JobStatus::Pending), &mut quit));
        assert!(!seen(attempt(2), &mut quit));
        assert!(seen(status(JobStatus::Running), &mut quit), "another program, which knows nothing of it");
    }
}
