//! Which coordinator is asked next, and when to stop asking.

use std::time::Duration;

use ffleet_protocol::problem::Problem;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{
    Api, ApiError,
    call::Call,
    error::Attempted,
    http::{Answer, TryError, shown},
};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A coordinator that answers with a fault of its own is not asked for ever: the fault may be in the question.
const FAULTS: u32 = 3;

/// What failed tries have shown so far.
struct Failures {
    attempts: Vec<Attempted>,
    problem: Option<Box<Problem>>,
    faults: u32,
    /// Addresses of this round that cannot be meant.
    misaddressed: usize,
    retry_after: Duration,
}

impl Api {
    /// Asks and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, ApiError> {
        let answer = self.tried(&call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| unexpected(&answer, &call, &error))
    }

    /// Asks where the answer may be empty.
    pub(super) async fn ask_maybe<T: DeserializeOwned>(&self, call: Call) -> Result<Option<T>, ApiError> {
        let answer = self.tried(&call).await?;
        if answer.body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&answer.body).map(Some).map_err(|error| unexpected(&answer, &call, &error))
    }

    /// Asks where the answer does not matter.
    pub(super) async fn tell(&self, call: Call) -> Result<(), ApiError> {
        self.tried(&call).await.map(|_| ())
    }

    /// Asks one coordinator after the other until one answers, the deadline is over or asking again would be wrong.
    pub(super) async fn tried(&self, call: &Call) -> Result<Answer, ApiError> {
        let asking = self.in_turn(call);
        match &self.silence {
            Some(silence) => silence.during(asking, call.wait, self.retry.deadline).await,
            None => asking.await,
        }
    }

    async fn in_turn(&self, call: &Call) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let coordinators = self.shared.urls.len();
        let first = self.shared.favourite();
        let timeout = self.retry.try_timeout + call.wait;
        let mut pause = FIRST_PAUSE;
        let mut corrected = false;
        let mut failures =
            Failures { attempts: Vec::new(), problem: None, faults: 0, misaddressed: 0, retry_after: Duration::ZERO };
        loop {
            for step in 0..coordinators {
                let index = (first + step) % coordinators;
                let mut result = self.shared.once(index, call, timeout).await;
                if let Err(TryError::Skewed(_)) = result
                    && !corrected
                {
                    corrected = true;
                    result = self.shared.once(index, call, timeout).await;
                }
                let error = match result {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                let again = failures.note(&shown(&self.shared.urls[index]), error)?;
                if !(again || call.repeatable) || failures.faults >= FAULTS {
                    return Err(failures.into_error());
                }
            }
            // Patience does not mend an address.
            if failures.misaddressed == coordinators {
                return Err(failures.into_error());
            }
            failures.misaddressed = 0;
            let nap = jittered(pause).max(failures.retry_after);
            if started.elapsed() + nap > self.retry.deadline {
                return Err(failures.into_error());
            }
            tokio::time::sleep(nap).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            failures.retry_after = Duration::ZERO;
        }
    }
}

impl Failures {
    /// Notes a failed try. An error ends the call; otherwise whether it is certain that nothing was done.
    fn note(&mut self, url: &str, error: TryError) -> Result<bool, ApiError> {
        let (cause, nothing_done) = match error {
            TryError::Final(error) | TryError::Skewed(error) => return Err(error),
            TryError::NotSent(cause) => (cause, true),
            TryError::Misaddressed(cause) => {
                self.misaddressed += 1;
                (cause, true)
            }
            TryError::NoBackend(cause) | TryError::Unanswered(cause) => (cause, false),
            TryError::NotNow { problem, after } => {
                self.retry_after = self.retry_after.max(after.unwrap_or_default());
                let cause = problem.detail.clone();
                self.problem = Some(problem);
                (cause, false)
            }
            TryError::Doubled(problem) => {
                let cause = problem.detail.clone();
                self.problem = Some(problem);
                (cause, false)
            }
            TryError::Fault(problem) => {
                self.faults += 1;
                let cause = format!("{} (request {})", problem.detail, problem.request_id);
                self.problem = Some(problem);
                (cause, false)
            }
        };
        tracing::debug!(url, cause, "a coordinator did not answer as hoped");
        match self.attempts.iter_mut().find(|tried| tried.url == url) {
            Some(tried) => tried.cause = cause,
            None => self.attempts.push(Attempted { url: url.to_owned(), cause }),
        }
        Ok(nothing_done)
    }

    /// With several coordinators the list of causes says more than one coordinator's words.
    fn into_error(self) -> ApiError {
        match self.problem {
            Some(problem) if self.attempts.len() == 1 => ApiError::Problem(problem),
            _ => ApiError::Unreachable { attempts: self.attempts },
        }
    }
}

fn unexpected(answer: &Answer, call: &Call, error: &serde_json::Error) -> ApiError {
    let what = format!("{} to {} {}: {error}", answer.status, call.method, call.path);
    ApiError::Protocol { url: answer.url.clone(), what }
}

/// Between half of `pause` and all of it, so that clients that failed together do not come back together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}
