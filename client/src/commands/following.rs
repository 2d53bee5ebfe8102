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
    /// Whether to send signs of life, without which the job is canceled.
    pub monitored: bool,
    /// What Ctrl-C means.
    pub on_interrupt: OnInterrupt,
}

/// Ctrl-C, from now on ours.
pub fn interrupts() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::interrupt())?)
}

impl Following<'_> {
    /// Follows the job to its end. `interrupted` says that Ctrl-C was pressed before the job's id was known.
    pub async fn run(self, interrupts: &mut Signal, interrupted: bool) -> anyhow::Result<End> {
        let mut screen = Screen::new(self.out, self.progress);
        let mut follower = Follower::new(self.api.clone(), self.job, self.after.clone());
        let _signs_of_life = self.monitored.then(|| Task(tokio::spawn(beat(self.api.clone(), self.job))));
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
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells again and again that the client of a monitored job is there.
async fn beat(api: Api, job: JobId) {
    let api = api.with_deadline(Duration::ZERO).with_try_timeout(BEAT);
    let follower = Incarnation::new();
    let mut ticks = tokio::time::interval(BEAT);
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
