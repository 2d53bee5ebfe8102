//! A job is its tasks: its status and its outcome are folds over them, never facts of their own.

use ffleet_protocol::{
    job::Outcome,
    state::{CancelReason, FailureClass, JobStatus, TaskStatus},
};

use super::task::TaskState;

/// Where a job stands whose tasks stand like this.
#[must_use]
pub fn status_of(tasks: impl IntoIterator<Item = TaskStatus>) -> JobStatus {
    let mut seen = Seen::default();
    for task in tasks {
        seen.add(task);
    }
    seen.fold()
}

/// How a job ended whose tasks stand like this; none while any of them goes on.
///
/// It speaks with the voice of one task: the first that failed for a reason of its own, else the first that was canceled,
/// else the last one.
#[must_use]
pub fn outcome_of<'a>(tasks: impl IntoIterator<Item = &'a TaskState>) -> Option<Outcome> {
    let outcomes: Vec<Outcome> = tasks.into_iter().map(TaskState::outcome).collect::<Option<_>>()?;
    let failed = |outcome: &&Outcome| outcome.status == JobStatus::Failed;
    let own_fault = |outcome: &&Outcome| outcome.failure != Some(FailureClass::DependencyFailed);
    outcomes
        .iter()
        .filter(failed)
        .find(own_fault)
        .or_else(|| outcomes.iter().find(failed))
        .or_else(|| outcomes.iter().find(|outcome| outcome.status == JobStatus::Canceled))
        .or(outcomes.last())
        .cloned()
}

impl TaskState {
    /// How the task ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let outcome = |status, exit_code, message| Outcome {
            status,
            exit_code,
            signal: None,
            failure: None,
            canceled: None,
            message,
        };
        match self {
            Self::Completed { exit_code, .. } => {
                Some(outcome(JobStatus::Completed, Some(*exit_code), "completed".to_owned()))
            }
            Self::Failed { failure, exit_code, signal, message, .. } => Some(Outcome {
                signal: *signal,
                failure: Some(*failure),
                ..outcome(JobStatus::Failed, *exit_code, message.clone())
            }),
            Self::Canceled { by, reason, exit_code, .. } => Some(Outcome {
                canceled: Some(*reason),
                ..outcome(JobStatus::Canceled, *exit_code, why_canceled(by, *reason))
            }),
            Self::Blocked
            | Self::Pending { .. }
            | Self::Assigned { .. }
            | Self::Running { .. }
            | Self::Publishing { .. }
            | Self::Canceling { .. } => None,
        }
    }
}

fn why_canceled(by: &str, reason: CancelReason) -> String {
    match reason {
        CancelReason::Requested => format!("canceled by {by}"),
        CancelReason::ClientGone => "canceled because the client that monitors it went silent".to_owned(),
        CancelReason::SiblingFailed => "canceled because another task of the same job failed".to_owned(),
        CancelReason::Unknown => format!("canceled by {by}, for a reason that only a newer version knows"),
    }
}

/// Which kinds of task a job has.
#[derive(Default)]
struct Seen {
    any: bool,
    waiting: bool,
    assigned: bool,
    running: bool,
    canceling: bool,
    failed: bool,
    canceled: bool,
}

impl Seen {
    fn add(&mut self, task: TaskStatus) {
        self.any = true;
        match task {
            TaskStatus::Blocked | TaskStatus::Pending => self.waiting = true,
            TaskStatus::Assigned => self.assigned = true,
            TaskStatus::Running | TaskStatus::Publishing | TaskStatus::Unknown => self.running = true,
            TaskStatus::Canceling => self.canceling = true,
            TaskStatus::Completed => {}
            TaskStatus::Failed => self.failed = true,
            TaskStatus::Canceled => self.canceled = true,
        }
    }

    fn fold(&self) -> JobStatus {
        let over = self.any && !(self.waiting || self.assigned || self.running || self.canceling);
        if over {
            if self.failed {
                JobStatus::Failed
            } else if self.canceled {
                JobStatus::Canceled
            } else {
                JobStatus::Completed
            }
        } else if self.canceling || (self.failed && self.running) {
            JobStatus::Canceling
        } else if self.running {
            JobStatus::Running
        } else if self.assigned {
            JobStatus::Assigned
        } else {
            // A job without tasks would be here too: nothing of it has happened.
            JobStatus::Pending
        }
    }
}
