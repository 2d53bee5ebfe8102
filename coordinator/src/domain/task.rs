//! The life of a task: which states there are and what each of them carries.

use ffleet_protocol::{
    Timestamp,
    id::{Incarnation, TaskId, Token, WorkerId},
    state::{CancelReason, FailureClass, TaskStatus},
    task::{Order, Output},
};

/// A task as its life cycle sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Grows by one with every claim and is never reset; 0 before the first.
    pub epoch: u32,
    /// Where it stands.
    pub state: TaskState,
    /// What went wrong so far.
    pub counters: Counters,
    /// Workers it keeps away from for a while.
    pub avoid: Vec<Avoid>,
    /// Why workers would not begin it, the newest last; at most [`super::policy::REASONS_KEPT`].
    pub rejected_because: Vec<String>,
    /// Whether any attempt has reached `running`.
    pub ran: bool,
    /// Whether any standard output has been taken from an attempt.
    pub stdout_taken: bool,
    /// Whether the current attempt declared standard output as lost.
    pub stdout_lost: bool,
    /// The number the next record of the current attempt's output must have.
    pub next_seq: u64,
    /// What an attempt was about to put in place when it was interrupted, so that the next one can adopt what is there
    /// already. Empty while publishing and once completed: those states carry their own.
    pub kept: Vec<Output>,
    /// The last word of a worker that ended an attempt, so that its repetition is known as one.
    pub last_report: Option<LastReport>,
}

/// Where a task stands. States carry exactly what is true in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for other tasks.
    Blocked,
    /// Waits for a worker.
    Pending {
        /// Not to be claimed before.
        not_before: Option<Timestamp>,
        /// Who held the lease that lapsed: its word still counts until somebody else has claimed the task.
        resumable: Option<Holder>,
    },
    /// A worker has it and checks whether it can run it.
    Assigned {
        /// Short: the assignment timeout.
        lease: Lease,
    },
    /// A worker runs it.
    Running {
        /// Renewed by heartbeats.
        lease: Lease,
    },
    /// The program has ended well; its outputs are being put in place.
    Publishing {
        /// Renewed by heartbeats.
        lease: Lease,
        /// What is being put in place.
        outputs: Vec<Output>,
    },
    /// Somebody wants it stopped; its worker has not confirmed yet.
    Canceling {
        /// Renewed by heartbeats until the worker confirms.
        lease: Lease,
        /// Who asked: an account or `janitor`.
        by: String,
        /// Why.
        reason: CancelReason,
    },
    /// Ended well.
    Completed {
        /// Who did it.
        holder: Holder,
        /// 0, except where a client's own signal made FFmpeg end well with another code.
        exit_code: i32,
        /// What it made.
        outputs: Vec<Output>,
    },
    /// Ended badly.
    Failed {
        /// Who had it last, if anybody did.
        holder: Option<Holder>,
        /// Why.
        failure: FailureClass,
        /// The program's exit code.
        exit_code: Option<i32>,
        /// The signal that killed it.
        signal: Option<i32>,
        /// Why, for people.
        message: String,
    },
    /// Stopped on request.
    Canceled {
        /// Who had it last, if anybody did.
        holder: Option<Holder>,
        /// Who asked.
        by: String,
        /// Why.
        reason: CancelReason,
        /// The program's exit code, where it ended by itself meanwhile.
        exit_code: Option<i32>,
    },
}

/// Who was given an epoch of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The worker.
    pub worker: WorkerId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// What its words must quote.
    pub token: Token,
}

/// The right to work on a task until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose it is.
    pub holder: Holder,
    /// By the store's clock.
    pub until: Timestamp,
}

/// Three counters, never mixed, and never the epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bad finishes.
    pub failures: u32,
    /// Lapses.
    pub crashes: u32,
    /// Rejections and assignment timeouts in a row.
    pub rejections: u32,
}

/// The word with which a worker ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LastReport {
    /// The attempt.
    pub epoch: u32,
    /// Its token.
    pub token: Token,
    /// Which word.
    pub kind: ReportKind,
}

/// Which word ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// The worker would not begin.
    Rejected,
    /// The attempt is over.
    Finished,
}

/// A worker to keep away from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Avoid {
    /// The worker.
    pub worker: WorkerId,
    /// Until when.
    pub until: Timestamp,
}

impl Task {
    /// A task that nobody has touched yet.
    #[must_use]
    pub fn new(id: TaskId, blocked: bool) -> Self {
        let state = if blocked { TaskState::Blocked } else { TaskState::Pending { not_before: None, resumable: None } };
        Self {
            id,
            epoch: 0,
            state,
            counters: Counters::default(),
            avoid: Vec::new(),
            rejected_because: Vec::new(),
            ran: false,
            stdout_taken: false,
            stdout_lost: false,
            next_seq: 1,
            kept: Vec::new(),
            last_report: None,
        }
    }

    /// Whether a worker that it does not avoid could claim it at `now`.
    #[must_use]
    pub fn is_ripe(&self, now: Timestamp) -> bool {
        match &self.state {
            TaskState::Pending { not_before, .. } => not_before.is_none_or(|at| at <= now),
            TaskState::Blocked
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Publishing { .. }
            | TaskState::Canceling { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Canceled { .. } => false,
        }
    }

    /// Until when it keeps away from this worker, if it does at `now`.
    #[must_use]
    pub fn avoids(&self, worker: &WorkerId, now: Timestamp) -> Option<Timestamp> {
        self.avoid.iter().filter(|a| a.worker == *worker && a.until > now).map(|a| a.until).max()
    }
}

impl TaskState {
    /// The word for it.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        match self {
            Self::Blocked => TaskStatus::Blocked,
            Self::Pending { .. } => TaskStatus::Pending,
            Self::Assigned { .. } => TaskStatus::Assigned,
            Self::Running { .. } => TaskStatus::Running,
            Self::Publishing { .. } => TaskStatus::Publishing,
            Self::Canceling { .. } => TaskStatus::Canceling,
            Self::Completed { .. } => TaskStatus::Completed,
            Self::Failed { .. } => TaskStatus::Failed,
            Self::Canceled { .. } => TaskStatus::Canceled,
        }
    }

    /// What its worker is to do.
    #[must_use]
    pub fn order(&self) -> Order {
        match self {
            Self::Assigned { .. } | Self::Running { .. } | Self::Publishing { .. } => Order::Continue,
            Self::Canceling { reason, .. } => Order::Stop { reason: *reason },
            Self::Blocked
            | Self::Pending { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Canceled { .. } => Order::Lost,
        }
    }

    /// The lease, while somebody holds one.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Assigned { lease }
            | Self::Running { lease }
            | Self::Publishing { lease, .. }
            | Self::Canceling { lease, .. } => Some(lease),
            Self::Blocked
            | Self::Pending { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Canceled { .. } => None,
        }
    }

    /// Who was given the current epoch, whether or not the lease still lasts.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Blocked => None,
            Self::Pending { resumable, .. } => resumable.as_ref(),
            Self::Assigned { lease }
            | Self::Running { lease }
            | Self::Publishing { lease, .. }
            | Self::Canceling { lease, .. } => Some(&lease.holder),
            Self::Completed { holder, .. } => Some(holder),
            Self::Failed { holder, .. } | Self::Canceled { holder, .. } => holder.as_ref(),
        }
    }
}
