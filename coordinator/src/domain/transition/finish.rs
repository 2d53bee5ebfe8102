//! An attempt ends in its worker's own words.

use ffleet_protocol::{
    Timestamp,
    job::AttemptEnd,
    state::FailureClass,
    task::{Exit, Output},
};

use super::{
    super::{
        event::{AttemptChange, Finish, Next, Quote, Refusal, Wake},
        policy::{BadEnd, Policy, burns_no_try, later, retry_after},
        task::{Holder, LastReport, Lease, ReportKind},
    },
    Task, TaskState, told,
};

impl Task {
    pub(super) fn published(
        &self,
        quote: &Quote,
        outputs: &[Output],
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Next, Refusal> {
        let holder = self.check(quote, None)?;
        let mut task = match &self.state {
            TaskState::Running { .. } => self.clone(),
            TaskState::Pending { resumable: Some(_), .. } => self.resumed(holder, now, policy),
            TaskState::Publishing { .. } => return Err(Refusal::AlreadyRecorded),
            TaskState::Assigned { .. } | TaskState::Canceling { .. } => return Err(self.wrong_state()),
            TaskState::Blocked
            | TaskState::Pending { resumable: None, .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => return Err(Refusal::StaleLease),
        };
        let lease = Lease { holder: holder.clone(), until: policy.lease_until(now) };
        task.state = TaskState::Publishing { lease, outputs: outputs.to_vec() };
        task.kept.clear();
        let reopened = self.state.lease().is_none().then_some(AttemptChange::Reopened);
        Ok(told(task, reopened, "publishing"))
    }

    pub(super) fn finished(
        &self,
        quote: &Quote,
        end: &Finish,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Next, Refusal> {
        let holder = self.check(quote, Some(ReportKind::Finished))?;
        let mut next = match &self.state {
            TaskState::Canceling { by, reason, .. } => {
                let ending = Ending::of(end);
                let state = TaskState::Canceled {
                    holder: Some(holder.clone()),
                    by: by.clone(),
                    reason: *reason,
                    exit_code: ending.exit_code,
                };
                let attempt = ending.attempt(AttemptEnd::Canceled, None, end.message.clone());
                told(self.moved_to(state), Some(attempt), "canceled")
            }
            TaskState::Running { .. } => self.ended(holder, end, &end.outputs, now, policy),
            // What was announced is what counts: followers and adopters were promised those hashes.
            TaskState::Publishing { outputs, .. } => {
                let mut next = self.ended(holder, end, outputs, now, policy);
                if !matches!(next.task.state, TaskState::Completed { .. }) {
                    next.task.kept.clone_from(outputs);
                }
                next
            }
            TaskState::Pending { resumable: Some(_), .. } => {
                self.resumed(holder, now, policy).ended(holder, end, &end.outputs, now, policy)
            }
            TaskState::Assigned { .. } => return Err(self.wrong_state()),
            TaskState::Blocked
            | TaskState::Pending { resumable: None, .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => return Err(Refusal::StaleLease),
        };
        let report = LastReport { epoch: quote.epoch, token: quote.token, kind: ReportKind::Finished };
        next.task.last_report = Some(report);
        Ok(next)
    }

    /// The end of an attempt that nobody wanted stopped.
    fn ended(&self, holder: &Holder, end: &Finish, outputs: &[Output], now: Timestamp, policy: &Policy) -> Next {
        let ending = Ending::of(end);
        match ending.verdict {
            Verdict::Good if self.stdout_lost => {
                let message = "the program ended well, but part of its standard output was lost on the way".to_owned();
                self.failed(holder, &ending, FailureClass::StdoutLost, message)
            }
            Verdict::Good => {
                let state = TaskState::Completed { holder: holder.clone(), exit_code: 0, outputs: outputs.to_vec() };
                let mut task = self.moved_to(state);
                task.kept.clear();
                told(task, Some(ending.attempt(AttemptEnd::Completed, None, end.message.clone())), "completed")
            }
            Verdict::HandedBack => self.handed_back(holder, &ending, end, policy),
            Verdict::Bad(failure) => self.ended_badly(holder, &ending, failure, end, now, policy),
        }
    }

    /// The worker leaves; nothing is wrong with the task, so nothing is spent and the next one may begin at once.
    fn handed_back(&self, holder: &Holder, ending: &Ending, end: &Finish, policy: &Policy) -> Next {
        if self.delivered(policy) {
            let message = "its worker stopped after its reader had seen standard output; not run again by itself";
            return self.failed(holder, ending, FailureClass::OutputInterrupted, message.to_owned());
        }
        let message = if end.message.is_empty() {
            format!("worker {} handed it back", holder.worker)
        } else {
            end.message.clone()
        };
        Next {
            task: self.moved_to(TaskState::Pending { not_before: None, resumable: None }),
            attempt: Some(ending.attempt(AttemptEnd::Rejected, None, message)),
            wakes: vec![Wake::Queue, Wake::Followers],
            what: "handed_back",
        }
    }

    fn ended_badly(
        &self,
        holder: &Holder,
        ending: &Ending,
        failure: FailureClass,
        end: &Finish,
        now: Timestamp,
        policy: &Policy,
    ) -> Next {
        let message = if end.message.is_empty() { in_words(failure, ending) } else { end.message.clone() };
        let bad = BadEnd { failure, exit_code: ending.exit_code, signal: ending.signal, tail: &end.tail };
        let wait = retry_after(&policy.retry, self.counters.failures, &bad).filter(|_| !self.delivered(policy));
        let mut next = match wait {
            None => self.failed(holder, ending, failure, message),
            Some(wait) => {
                let state = TaskState::Pending { not_before: Some(later(now, wait)), resumable: None };
                let attempt = ending.attempt(AttemptEnd::Failed, Some(failure), message);
                told(self.moved_to(state), Some(attempt), "retry")
            }
        };
        if burns_no_try(failure) {
            // Its encoders are in use by others: somebody else may have one free meanwhile.
            next.task.keep_away_from(holder, now);
        } else {
            next.task.counters.failures += 1;
        }
        next
    }

    fn failed(&self, holder: &Holder, ending: &Ending, failure: FailureClass, message: String) -> Next {
        let state = TaskState::Failed {
            holder: Some(holder.clone()),
            failure,
            exit_code: ending.exit_code,
            signal: ending.signal,
            message: message.clone(),
        };
        told(self.moved_to(state), Some(ending.attempt(AttemptEnd::Failed, Some(failure), message)), "failed")
    }
}

/// A worker's words about the end, sorted.
struct Ending {
    verdict: Verdict,
    exit_code: Option<i32>,
    signal: Option<i32>,
}

enum Verdict {
    Good,
    HandedBack,
    Bad(FailureClass),
}

impl Ending {
    fn of(end: &Finish) -> Self {
        // A newer worker may have a name for it that says nothing here; what it saw does.
        let name = end.failure.filter(|failure| *failure != FailureClass::Unknown);
        let named = |otherwise| Verdict::Bad(name.unwrap_or(otherwise));
        let (verdict, exit_code, signal) = match end.exit {
            Exit::Code { code: 0 } if end.failure.is_none() => (Verdict::Good, Some(0), None),
            Exit::Code { code: 0 } => (named(FailureClass::WorkerError), Some(0), None),
            Exit::Code { code } => (named(FailureClass::ExitCode), Some(code), None),
            Exit::Signal { signal } => (named(FailureClass::Signaled), None, Some(signal)),
            Exit::TimedOut => (Verdict::Bad(FailureClass::TimedOut), None, None),
            Exit::HandedBack => (Verdict::HandedBack, None, None),
            // Nobody here asked for a stop, or the task would be canceling.
            Exit::Stopped | Exit::None => (named(FailureClass::WorkerError), None, None),
        };
        Self { verdict, exit_code, signal }
    }

    fn attempt(&self, end: AttemptEnd, failure: Option<FailureClass>, message: String) -> AttemptChange {
        AttemptChange::Ended { end, exit_code: self.exit_code, signal: self.signal, failure, message }
    }
}

/// What to say where the worker said nothing.
fn in_words(failure: FailureClass, ending: &Ending) -> String {
    match (ending.exit_code, ending.signal, failure) {
        (Some(code), _, FailureClass::ExitCode) => format!("the program ended with code {code}"),
        (Some(code), _, named) => format!("the program ended with code {code} ({named})"),
        (None, Some(signal), _) => format!("the program was killed by signal {signal}"),
        (None, None, FailureClass::TimedOut) => "it ran longer than its job allows and was stopped".to_owned(),
        (None, None, FailureClass::WorkerError) => "its worker could not go on with it".to_owned(),
        (None, None, named) => format!("it was not finished ({named})"),
    }
}
