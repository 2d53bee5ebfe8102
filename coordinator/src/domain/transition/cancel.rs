//! Somebody wants a task stopped.

use ffleet_protocol::{job::AttemptEnd, state::CancelReason};

use super::{
    super::{
        event::{AttemptChange, Next, Refusal, Wake},
        task::Holder,
    },
    Task, TaskState, told,
};

impl Task {
    pub(super) fn cancel_requested(&self, by: &str, reason: CancelReason) -> Result<Next, Refusal> {
        let canceled =
            |holder: Option<Holder>| TaskState::Canceled { holder, by: by.to_owned(), reason, exit_code: None };
        match &self.state {
            TaskState::Blocked => Ok(told(self.moved_to(canceled(None)), None, "canceled")),
            TaskState::Pending { resumable, .. } => {
                Ok(told(self.moved_to(canceled(resumable.clone())), None, "canceled"))
            }
            // Nothing runs yet, so there is nothing to wait for; the worker is told when it next speaks.
            TaskState::Assigned { lease } => {
                let ended = AttemptChange::Ended {
                    end: AttemptEnd::Canceled,
                    exit_code: None,
                    signal: None,
                    failure: None,
                    message: "canceled before it began".to_owned(),
                };
                Ok(Next {
                    task: self.moved_to(canceled(Some(lease.holder.clone()))),
                    attempt: Some(ended),
                    wakes: vec![Wake::Worker(lease.holder.worker.clone()), Wake::Followers],
                    what: "canceled",
                })
            }
            TaskState::Running { lease } => Ok(Next {
                task: self.moved_to(TaskState::Canceling { lease: lease.clone(), by: by.to_owned(), reason }),
                attempt: None,
                wakes: vec![Wake::Worker(lease.holder.worker.clone()), Wake::Followers],
                what: "cancel_requested",
            }),
            TaskState::Publishing { .. } => Err(Refusal::TooLate),
            TaskState::Canceling { .. } => Err(Refusal::AlreadyRecorded),
            TaskState::Completed { .. } | TaskState::Failed { .. } | TaskState::Canceled { .. } => {
                Err(self.wrong_state())
            }
        }
    }
}
