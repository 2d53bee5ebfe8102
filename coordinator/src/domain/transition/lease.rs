//! Leases instead of locks: a lock dies with its connection, a lease with its time. This is where that time ends, and
//! where it is given again to whoever still speaks.

use ffleet_protocol::{Timestamp, job::AttemptEnd, state::FailureClass};

use super::{
    super::{
        event::{AttemptChange, Lapse, Next, Quote, Refusal, Wake},
        policy::Policy,
        task::{Holder, Lease},
    },
    Task, TaskState, told,
};

impl Task {
    pub(super) fn renewed(&self, quote: &Quote, now: Timestamp, policy: &Policy) -> Result<Next, Refusal> {
        let holder = self.check(quote, None)?;
        let lease = || Lease { holder: holder.clone(), until: policy.lease_until(now) };
        let state = match &self.state {
            // The assignment timeout is for the answer; being alive is none.
            TaskState::Assigned { lease } => TaskState::Assigned { lease: lease.clone() },
            TaskState::Running { .. } => TaskState::Running { lease: lease() },
            TaskState::Publishing { outputs, .. } => TaskState::Publishing { lease: lease(), outputs: outputs.clone() },
            TaskState::Canceling { by, reason, .. } => {
                TaskState::Canceling { lease: lease(), by: by.clone(), reason: *reason }
            }
            TaskState::Pending { resumable: Some(_), .. } => {
                let task = self.resumed(holder, now, policy);
                return Ok(told(task, Some(AttemptChange::Reopened), "resumed"));
            }
            TaskState::Blocked
            | TaskState::Pending { resumable: None, .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => return Err(Refusal::StaleLease),
        };
        Ok(Next { task: self.moved_to(state), attempt: None, wakes: Vec::new(), what: Next::RENEWED })
    }

    /// The same lease goes on as if it had not lapsed: the worker was cut off, it did not crash.
    pub(super) fn resumed(&self, holder: &Holder, now: Timestamp, policy: &Policy) -> Self {
        let lease = Lease { holder: holder.clone(), until: policy.lease_until(now) };
        let mut task = self.moved_to(TaskState::Running { lease });
        task.counters.crashes = task.counters.crashes.saturating_sub(1);
        task.avoid.retain(|avoid| avoid.worker != holder.worker);
        task
    }

    pub(super) fn lapsed(&self, lapse: Lapse, now: Timestamp, policy: &Policy) -> Result<Next, Refusal> {
        let lease = self.state.lease().ok_or_else(|| self.wrong_state())?;
        if !lapse.is_forced() && now < lease.until {
            return Err(Refusal::LeaseNotOver { until: lease.until });
        }
        let holder = &lease.holder;
        match &self.state {
            TaskState::Assigned { .. } if lapse.is_gone() => Ok(self.crashed(holder, None, lapse, now, policy)),
            TaskState::Assigned { .. } => {
                Ok(self.sent_back(holder, "did not answer in time", "assignment_timeout", now, policy))
            }
            TaskState::Running { .. } => Ok(self.crashed(holder, Some(holder.clone()), lapse, now, policy)),
            TaskState::Publishing { outputs, .. } => {
                let mut next = self.crashed(holder, Some(holder.clone()), lapse, now, policy);
                next.task.kept.clone_from(outputs);
                Ok(next)
            }
            TaskState::Canceling { by, reason, .. } => {
                let holder = Some(holder.clone());
                let task =
                    self.moved_to(TaskState::Canceled { holder, by: by.clone(), reason: *reason, exit_code: None });
                Ok(told(task, Some(lapsed_attempt(&lease.holder, lapse)), "cancel_forced"))
            }
            TaskState::Blocked
            | TaskState::Pending { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(self.wrong_state()),
        }
    }

    /// Its worker is lost: others may go on at once, unless it has taken too many with it or would repeat itself.
    fn crashed(
        &self,
        holder: &Holder,
        resumable: Option<Holder>,
        lapse: Lapse,
        now: Timestamp,
        policy: &Policy,
    ) -> Next {
        let mut task = self.clone();
        task.counters.crashes += 1;
        task.keep_away_from(holder, now);
        let failed = |failure, message: String| TaskState::Failed {
            holder: Some(holder.clone()),
            failure,
            exit_code: None,
            signal: None,
            message,
        };
        let mut wakes = vec![Wake::Followers];
        task.state = if task.counters.crashes >= policy.crash_limit {
            let count = task.counters.crashes;
            let last = &holder.worker;
            let message = format!("its worker was lost {count} times, the last one was {last}; not tried again");
            failed(FailureClass::Poison, message)
        } else if task.delivered(policy) {
            let message = "its worker was lost after its reader had seen standard output; not run again by itself";
            failed(FailureClass::OutputInterrupted, message.to_owned())
        } else {
            wakes.insert(0, Wake::Queue);
            TaskState::Pending { not_before: None, resumable }
        };
        Next { task, attempt: Some(lapsed_attempt(holder, lapse)), wakes, what: "lease_lapsed" }
    }
}

fn lapsed_attempt(holder: &Holder, lapse: Lapse) -> AttemptChange {
    let worker = &holder.worker;
    let message = match lapse {
        Lapse::Over => format!("worker {worker} did not renew its lease in time"),
        Lapse::OverAndGone => format!("worker {worker} was not heard of any more"),
        Lapse::Superseded => format!("worker {worker} was started again"),
        Lapse::Left => format!("worker {worker} left"),
    };
    AttemptChange::Ended {
        end: AttemptEnd::Lapsed,
        exit_code: None,
        signal: None,
        failure: Some(FailureClass::LeaseLapsed),
        message,
    }
}
