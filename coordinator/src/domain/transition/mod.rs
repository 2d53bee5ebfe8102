//! The only place that knows what may follow what in the life of a task.
//!
//! [`Task::on`] takes what happened and says what is true from then on, or why not. Requests, the janitor and a worker
//! that comes back after an outage all go through it: there is no second way for a task to move.

mod cancel;
mod claim;
mod finish;
mod lease;
mod queue;

use ffleet_protocol::Timestamp;

use super::{
    event::{AttemptChange, Event, Next, Quote, Refusal, Wake},
    policy::{self, Policy},
    task::{Avoid, Holder, ReportKind, Task, TaskState},
};
use crate::sabotage;

impl Task {
    /// What is true after `event`, or why it is not taken. `now` is the store's time.
    pub fn on(&self, event: &Event, now: Timestamp, policy: &Policy) -> Result<Next, Refusal> {
        match event {
            Event::Unblocked => self.unblocked(),
            Event::DependencyFailed { message } => self.dependency_failed(message),
            Event::QueueTimedOut => self.queue_timed_out(),
            Event::Claimed { holder } => self.claimed(holder, now, policy),
            Event::Accepted { quote } => self.accepted(quote, now, policy),
            Event::Rejected { quote, reason } => self.rejected(quote, reason, now, policy),
            Event::Renewed { quote } => self.renewed(quote, now, policy),
            Event::LeaseLapsed { lapse } => self.lapsed(*lapse, now, policy),
            Event::Published { quote, outputs } => self.published(quote, outputs, now, policy),
            Event::Finished { quote, end } => self.finished(quote, end, now, policy),
            Event::CancelRequested { by, reason } => self.cancel_requested(by, *reason),
        }
    }

    /// Whether output of the attempt quoted may be taken now.
    pub fn takes_output(&self, quote: &Quote) -> Result<Takes, Refusal> {
        self.check(quote, Some(ReportKind::Finished))?;
        match &self.state {
            TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Publishing { .. }
            | TaskState::Canceling { .. } => Ok(Takes::Now),
            TaskState::Pending { resumable: Some(_), .. } => Ok(Takes::OnceResumed),
            TaskState::Blocked
            | TaskState::Pending { resumable: None, .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(Refusal::StaleLease),
        }
    }

    /// Whether a quote is that of the current epoch's holder; `word` is the report that it comes with, if that is one
    /// which ends attempts.
    fn check(&self, quote: &Quote, word: Option<ReportKind>) -> Result<&Holder, Refusal> {
        if let Some(last) = &self.last_report
            && (last.epoch, last.token) == (quote.epoch, quote.token)
        {
            return Err(if word == Some(last.kind) { Refusal::AlreadyRecorded } else { Refusal::StaleLease });
        }
        let is_holder =
            |holder: &Holder| quote.epoch == self.epoch && quote.token == holder.token && quote.worker == holder.worker;
        let holder = self.state.holder().ok_or(Refusal::StaleLease)?;
        if is_holder(holder) || sabotage::epochs_are_unchecked() { Ok(holder) } else { Err(Refusal::StaleLease) }
    }

    /// The refusal of whatever is not possible in this state.
    fn wrong_state(&self) -> Refusal {
        Refusal::WrongState { status: self.state.status() }
    }

    /// This task in another state.
    fn moved_to(&self, state: TaskState) -> Self {
        Self { state, ..self.clone() }
    }

    /// Keeps away from a worker for a while. Those that need not be avoided any more are forgotten at the next claim.
    fn keep_away_from(&mut self, holder: &Holder, now: Timestamp) {
        self.avoid.retain(|avoid| avoid.worker != holder.worker);
        self.avoid.push(Avoid { worker: holder.worker.clone(), until: policy::later(now, policy::AVOID) });
    }

    /// Whether it must not run again by itself, because its reader would see bytes twice.
    fn delivered(&self, policy: &Policy) -> bool {
        self.stdout_taken && !policy.rerun_stdout
    }
}

/// When output of an attempt may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// As things stand.
    Now,
    /// The lease has lapsed and nobody has claimed the task since: [`Event::Renewed`] goes first, in the same commit.
    /// Output taken without it would be seen twice when somebody else claims the task.
    OnceResumed,
}

/// What comes of an event that only followers need to hear of.
fn told(task: Task, attempt: Option<AttemptChange>, what: &'static str) -> Next {
    Next { task, attempt, wakes: vec![Wake::Followers], what }
}
