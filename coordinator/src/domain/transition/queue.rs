//! Before any worker has a task: what it waits for, and for how long.

use ffleet_protocol::state::FailureClass;

use super::{
    super::event::{Next, Refusal, Wake},
    Task, TaskState, told,
};

impl Task {
    pub(super) fn unblocked(&self) -> Result<Next, Refusal> {
        match &self.state {
            TaskState::Blocked => Ok(Next {
                task: self.moved_to(TaskState::Pending { not_before: None, resumable: None }),
                attempt: None,
                wakes: vec![Wake::Queue, Wake::Followers],
                what: "unblocked",
            }),
            TaskState::Pending { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Publishing { .. }
            | TaskState::Canceling { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(self.wrong_state()),
        }
    }

    pub(super) fn dependency_failed(&self, message: &str) -> Result<Next, Refusal> {
        match &self.state {
            TaskState::Blocked => {
                let state = never_ran(FailureClass::DependencyFailed, message.to_owned());
                Ok(told(self.moved_to(state), None, "dependency_failed"))
            }
            TaskState::Pending { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Publishing { .. }
            | TaskState::Canceling { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(self.wrong_state()),
        }
    }

    /// The limit is for the wait until a worker first accepts. A task that has run and waits for another try is not
    /// thrown away because the first try took long.
    pub(super) fn queue_timed_out(&self) -> Result<Next, Refusal> {
        match &self.state {
            TaskState::Blocked | TaskState::Pending { .. } if !self.ran => {
                let message = match self.rejected_because.last() {
                    None => "no worker took it within its queue timeout".to_owned(),
                    Some(reason) => {
                        format!("no worker accepted it within its queue timeout; the last answer: {reason}")
                    }
                };
                let state = never_ran(FailureClass::QueueTimeout, message);
                Ok(told(self.moved_to(state), None, "queue_timeout"))
            }
            TaskState::Blocked
            | TaskState::Pending { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Publishing { .. }
            | TaskState::Canceling { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => Err(self.wrong_state()),
        }
    }
}

fn never_ran(failure: FailureClass, message: String) -> TaskState {
    TaskState::Failed { holder: None, failure, exit_code: None, signal: None, message }
}
