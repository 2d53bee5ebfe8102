//! Following a job on the screen, with Ctrl-C and signs of life.

use std::time::Duration;

use ffleet_client::{Api, ApiError, Followed, Follower};
use ffleet_protocol::{
    id::{Incarnation, JobId},
    job::{ClientHeartbeat, Outcome},
    log::{Cursor, FollowRecord},
    problem::Code,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};

use crate::{
    exit,
    output::Output,
    screen::{ProgressMode, Screen},
};

const BEAT: Duration = Duration::from_secs(5);

/// How following ended.
pub enum End {
    /// With the job.
    Outcome(Box<Outcome>),
    /// Before the job: whoever watched does not want to wait any longer.
    Left,
}

/// What Ctrl-C means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// The job is canceled; a second one stops waiting.
    Cancel,
    /// Only the watching ends.
    Leave,
}

/// Whom to follow, and how.
pub struct Following<'a> {
    /// The coordinators.
    pub api: &'a Api,
    /// Where to show it.
    pub out: &'a Output,
    /// The job.
    pub job: JobId,
    /// From where on.
    pub after: Option<Cursor>,
    /// How progress is shown.
    pub progress: ProgressMode,
    /// For a monitored job: without them it is canceled.
    pub signs_of_life: Option<SignsOfLife>,
    /// What Ctrl-C means.
    pub on_interrupt: OnInterrupt,
}

/// Ctrl-C, and SIGTERM, which is what a supervisor sends instead.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

/// Interrupts, from now on ours.
pub fn interrupts() -> anyhow::Result<Interrupts> {
    Ok(Interrupts { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
}

impl Interrupts {
    /// The next one. Waiting for it may be given up and taken up again.
    pub async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

impl Following<'_> {
    /// Follows the job to its end. `interrupted` says that Ctrl-C was pressed before the job's id was known.
    pub async fn run(self, interrupts: &mut Interrupts, interrupted: bool) -> anyhow::Result<End> {
        let mut screen = Screen::new(self.out, self.progress);
        let mut follower = Follower::new(self.api.clone(), self.job, self.after.clone());
        let _signs_of_life = self.signs_of_life.map(|first| sends_signs_of_life(self.api, self.job, first));
        let mut cancel = None;
        if interrupted {
            cancel = Some(self.cancel(&mut screen));
        }
        loop {
            tokio::select! {
                // Ctrl-C is heard before a flood of output is shown.
                biased;
                _ = interrupts.recv() => match (self.on_interrupt, &cancel) {
                    (OnInterrupt::Cancel, None) => cancel = Some(self.cancel(&mut screen)),
                    (OnInterrupt::Cancel, Some(_)) => {
                        screen.note(&format!("no longer waiting; `ffleet job attach {}` shows the rest", self.job));
                        return Ok(End::Left);
                    }
                    (OnInterrupt::Leave, _) => return Ok(End::Left),
                },
                answer = answered(&mut cancel) => {
                    if let Some(trouble) = answer {
                        screen.note(&trouble);
                    }
                }
                item = follower.next_event() => match item? {
                    Some(Followed::Record(record)) => {
                        screen.record(&record)?;
                        if let FollowRecord::Outcome { outcome, .. } = record {
                            return Ok(End::Outcome(Box::new(outcome)));
                        }
                    }
                    Some(Followed::Interrupted(why)) => screen.note(&format!("asking again: {why}")),
                    None => anyhow::bail!("the output of job {} ended without its outcome", self.job),
                },
            }
        }
    }

    fn cancel(&self, screen: &mut Screen<'_>) -> Canceling {
        screen.note(&format!("canceling job {}; press Ctrl-C again to stop waiting for its end", self.job));
        let (api, job) = (self.api.clone(), self.job);
        Canceling { call: Task(tokio::spawn(async move { api.cancel(job).await.map(|_| ()) })), told: false }
    }
}

/// A cancel on its way.
struct Canceling {
    call: Task<Result<(), ApiError>>,
    told: bool,
}

/// What went wrong with the cancel, once its answer is there; waits for ever when there is nothing to wait for.
async fn answered(cancel: &mut Option<Canceling>) -> Option<String> {
    match cancel {
        Some(canceling) if !canceling.told => {
            let answer = (&mut canceling.call.0).await;
            canceling.told = true;
            match answer {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("the job could not be canceled: {error}")),
                Err(error) => Some(format!("the job could not be canceled: {error}")),
            }
        }
        Some(_) | None => std::future::pending().await,
    }
}

/// A task that ends with its owner.
pub struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// When the first sign of life is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignsOfLife {
    /// At once: the job was somebody else's until now.
    Now,
    /// After a while: a job that was just submitted knows that its client is there.
    Later,
}

/// Tells again and again that the client of a monitored job is there, until the result is dropped.
#[must_use]
pub fn sends_signs_of_life(api: &Api, job: JobId, first: SignsOfLife) -> Task<()> {
    Task(tokio::spawn(beat(api.clone(), job, first)))
}

async fn beat(api: Api, job: JobId, first: SignsOfLife) {
    let api = api.with_deadline(Duration::ZERO).with_try_timeout(BEAT);
    let follower = Incarnation::new();
    let mut ticks = tokio::time::interval(BEAT);
    if first == SignsOfLife::Later {
        ticks.reset();
    }
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for beat in 1.. {
        ticks.tick().await;
        match api.client_heartbeat(job, &ClientHeartbeat { beat, follower }).await {
            Ok(canceled) if canceled.status.is_terminal() => return,
            Ok(_) => {}
            Err(error) if error.is(Code::NotMonitored) || error.is(Code::NoSuchJob) => return,
            Err(error) => tracing::debug!(%error, "a sign of life was not heard"),
        }
    }
}

impl End {
    /// The exit code of whoever followed.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Outcome(outcome) => exit::code(outcome),
            Self::Left => exit::CANCELED,
        }
    }
}
