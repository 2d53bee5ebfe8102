//! A worker takes a task and says whether it can begin.

use ffleet_protocol::{Timestamp, job::AttemptEnd, state::FailureClass};

use super::{
    super::{
        event::{AttemptChange, Next, Quote, Refusal, Wake},
        policy::{BACKOFF_MAX, Policy, REASONS_KEPT, REJECTION_BASE, backoff, later},
        task::{Holder, LastReport, Lease, ReportKind},
    },
    Task, TaskState, told,
};

impl Task {
    pub(super) fn claimed(&self, holder: &Holder, now: Timestamp, policy: &Policy) -> Result<Next, Refusal> {
        match &self.state {
            TaskState::Pending { not_before, .. } => {
                if let Some(until) = not_before.filter(|until| *until > now) {
                    return Err(Refusal::NotBefore { until });
                }
                if let Some(until) = self.avoids(&holder.worker, now) {
                    return Err(Refusal::Avoided { until });
                }
                let lease = Lease { holder: holder.clone(), until: policy.assigned_until(now) };
                let mut task = self.moved_to(TaskState::Assigned { lease });
                task.epoch += 1;
                task.next_seq = 1;
                task.stdout_lost = false;
                task.avoid.retain(|avoid| avoid.until > now);
                Ok(told(task, Some(AttemptChange::Claimed), "claimed"))
            }
            TaskState::Assigned { lease }
            | TaskState::Running { lease }
            | TaskState::Publishing { lease, .. }
            | TaskState::Canceling { lease, .. } => {
                let own = lease.holder == *holder;
                Err(if own { Refusal::AlreadyRecorded } else { Refusal::Taken })
            }
            TaskState::Blocked
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(self.wrong_state()),
        }
    }

    pub(super) fn accepted(&self, quote: &Quote, now: Timestamp, policy: &Policy) -> Result<Next, Refusal> {
        let holder = self.check(quote, None)?;
        match &self.state {
            TaskState::Assigned { .. } => {
                let lease = Lease { holder: holder.clone(), until: policy.lease_until(now) };
                let mut task = self.moved_to(TaskState::Running { lease });
                task.counters.rejections = 0;
                task.rejected_because.clear();
                task.ran = true;
                Ok(told(task, Some(AttemptChange::Started), "accepted"))
            }
            // Only what was accepted comes here, and a lapsed attempt can be resumed only if it had been.
            TaskState::Running { .. }
            | TaskState::Publishing { .. }
            | TaskState::Canceling { .. }
            | TaskState::Pending { resumable: Some(_), .. } => Err(Refusal::AlreadyRecorded),
            TaskState::Blocked
            | TaskState::Pending { resumable: None, .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(Refusal::StaleLease),
        }
    }

    pub(super) fn rejected(&self, quote: &Quote, why: &str, now: Timestamp, policy: &Policy) -> Result<Next, Refusal> {
        let holder = self.check(quote, Some(ReportKind::Rejected))?;
        match &self.state {
            TaskState::Assigned { .. } => {
                let mut next = self.sent_back(holder, why, "rejected", now, policy);
                let report = LastReport { epoch: quote.epoch, token: quote.token, kind: ReportKind::Rejected };
                next.task.last_report = Some(report);
                Ok(next)
            }
            TaskState::Running { .. } | TaskState::Publishing { .. } | TaskState::Canceling { .. } => {
                Err(self.wrong_state())
            }
            TaskState::Blocked
            | TaskState::Pending { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(Refusal::StaleLease),
        }
    }

    /// Its worker did not begin: others may, after a wait that grows while nobody does.
    pub(super) fn sent_back(
        &self,
        holder: &Holder,
        why: &str,
        what: &'static str,
        now: Timestamp,
        policy: &Policy,
    ) -> Next {
        let mut task = self.clone();
        let wait = backoff(REJECTION_BASE, task.counters.rejections, BACKOFF_MAX);
        task.counters.rejections += 1;
        task.keep_away_from(holder, now);
        task.remember(format!("{}: {why}", holder.worker));
        let (failure, message) = if task.delivered(policy) {
            let message = "it could not go on after its reader had seen standard output";
            (Some(FailureClass::OutputInterrupted), message.to_owned())
        } else if task.counters.rejections >= policy.reject_limit {
            let reasons = task.rejected_because.join("; ");
            let message = format!("no worker began it in {} tries: {reasons}", task.counters.rejections);
            (Some(FailureClass::Unplaceable), message)
        } else {
            (None, String::new())
        };
        task.state = match failure {
            None => TaskState::Pending { not_before: Some(later(now, wait)), resumable: None },
            Some(failure) => {
                TaskState::Failed { holder: Some(holder.clone()), failure, exit_code: None, signal: None, message }
            }
        };
        let ended = AttemptChange::Ended {
            end: AttemptEnd::Rejected,
            exit_code: None,
            signal: None,
            failure: None,
            message: why.to_owned(),
        };
        Next { task, attempt: Some(ended), wakes: vec![Wake::Followers], what }
    }

    /// Remembers a reason, each once, the newest last.
    fn remember(&mut self, reason: String) {
        self.rejected_because.retain(|known| *known != reason);
        self.rejected_because.push(reason);
        let surplus = self.rejected_because.len().saturating_sub(REASONS_KEPT);
        self.rejected_because.drain(..surplus);
    }
}
