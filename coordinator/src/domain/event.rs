//! What can happen to a task, and what comes of it.

use ffleet_protocol::{
    Timestamp,
    id::{Token, WorkerId},
    job::AttemptEnd,
    state::{CancelReason, FailureClass, TaskStatus},
    task::{Exit, FinishRequest, Output},
};

use super::task::{Holder, Task};

/// Something that happens to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Everything it waited for has completed.
    Unblocked,
    /// Something it waits for will never complete.
    DependencyFailed {
        /// What, for people.
        message: String,
    },
    /// A worker takes it.
    Claimed {
        /// Which one, and what its words will quote.
        holder: Holder,
    },
    /// Its worker can run it and begins.
    Accepted {
        /// Whose word it is.
        quote: Quote,
    },
    /// Its worker cannot begin it; another one may.
    Rejected {
        /// Whose word it is.
        quote: Quote,
        /// Why, for people.
        reason: String,
    },
    /// Its worker was heard of.
    Renewed {
        /// Whose word it is.
        quote: Quote,
    },
    /// Its lease ends without a word from its worker.
    LeaseLapsed {
        /// What is known of the worker.
        lapse: Lapse,
    },
    /// The program has ended well and its outputs are about to be put in place.
    Published {
        /// Whose word it is.
        quote: Quote,
        /// What is about to be put in place.
        outputs: Vec<Output>,
    },
    /// The attempt is over.
    Finished {
        /// Whose word it is.
        quote: Quote,
        /// How it ended.
        end: Finish,
    },
    /// Somebody wants it stopped.
    CancelRequested {
        /// Who: an account or `janitor`.
        by: String,
        /// Why.
        reason: CancelReason,
    },
    /// It waited longer for a worker than its job allows.
    QueueTimedOut,
}

/// What a worker's word about a task must quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The attempt.
    pub epoch: u32,
    /// The lease's token.
    pub token: Token,
    /// The worker.
    pub worker: WorkerId,
}

/// What is known of a worker whose lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// The lease is over; the worker is there otherwise.
    Over,
    /// The lease is over, and the worker is silent, has left or has been started again.
    OverAndGone,
    /// The worker has been started again and does not claim this lease: it ends at once.
    Superseded,
    /// The worker has taken its leave without ending this: the lease ends at once.
    Left,
}

impl Lapse {
    /// Whether the lease ends although its time is not over.
    #[must_use]
    pub fn is_forced(self) -> bool {
        match self {
            Self::Over | Self::OverAndGone => false,
            Self::Superseded | Self::Left => true,
        }
    }

    /// Whether it counts as a crash even before the worker has accepted.
    #[must_use]
    pub fn is_gone(self) -> bool {
        match self {
            Self::Over => false,
            Self::OverAndGone | Self::Superseded | Self::Left => true,
        }
    }
}

/// How an attempt ended, in its worker's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// How the program ended.
    pub exit: Exit,
    /// Why it ended badly, where the worker could tell.
    pub failure: Option<FailureClass>,
    /// The end in one sentence, for people; may be empty.
    pub message: String,
    /// The last lines of stderr, for retry rules.
    pub tail: String,
    /// The files it made.
    pub outputs: Vec<Output>,
}

impl From<FinishRequest> for Finish {
    fn from(request: FinishRequest) -> Self {
        let FinishRequest { exit, failure, message, tail, outputs, .. } = request;
        Self { exit, failure, message, tail, outputs }
    }
}

/// What comes of an event that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The task from now on.
    pub task: Task,
    /// What changes in the record of the attempt with the task's epoch.
    pub attempt: Option<AttemptChange>,
    /// Who should look again. Each of these can be rediscovered from the store, so losing one costs time, never truth.
    pub wakes: Vec<Wake>,
    /// What happened, in a word, for the record of transitions. [`Next::RENEWED`] is no transition and leaves no record.
    pub what: &'static str,
}

impl Next {
    /// The word for a lease that was renewed and nothing else.
    pub const RENEWED: &'static str = "renewed";

    /// Whether this belongs into the record of transitions.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.what != Self::RENEWED
    }
}

/// What changes in the record of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptChange {
    /// It begins to exist.
    Claimed,
    /// It runs.
    Started,
    /// It is over. An attempt that had ended as lapsed may end once more, when its worker turns out to have finished it.
    Ended {
        /// How.
        end: AttemptEnd,
        /// The program's exit code.
        exit_code: Option<i32>,
        /// The signal that killed it.
        signal: Option<i32>,
        /// Why it did not end well.
        failure: Option<FailureClass>,
        /// The same for people; may be empty.
        message: String,
    },
    /// It had ended as lapsed and goes on: forget that end.
    Reopened,
}

/// Who should look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// Workers that fit: the task can be claimed now.
    Queue,
    /// This worker: something about a task of its own.
    Worker(WorkerId),
    /// Whoever watches the job.
    Followers,
}

/// Why an event was not taken. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The attempt quoted is not, or no longer, the one that holds the task.
    #[error("this attempt is over; stop working on it")]
    StaleLease,
    /// The outputs are being put in place already.
    #[error("the program has ended well and its outputs are being put in place; it is too late to cancel")]
    TooLate,
    /// Another worker has it.
    #[error("another worker has this task")]
    Taken,
    /// It cannot be claimed before.
    #[error("this task waits until {until}")]
    NotBefore {
        /// When it can be.
        until: Timestamp,
    },
    /// It keeps away from this worker for a while.
    #[error("this task keeps away from this worker until {until}")]
    Avoided {
        /// When it no longer does.
        until: Timestamp,
    },
    /// The lease is not over.
    #[error("the lease lasts until {until}")]
    LeaseNotOver {
        /// When it will be, unless renewed.
        until: Timestamp,
    },
    /// Not possible where the task stands.
    #[error("not possible while the task is {status}")]
    WrongState {
        /// Where it stands.
        status: TaskStatus,
    },
    /// This was taken before; what was recorded then stands.
    #[error("this was recorded before")]
    AlreadyRecorded,
}
