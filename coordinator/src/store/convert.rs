//! Rows and what they mean: the two conversions of a task, and small ones for words, numbers and moments.

use ffleet_protocol::{
    Timestamp,
    id::{Incarnation, TaskId, Token, WorkerId},
    state::{CancelReason, FailureClass, TaskStatus},
    task::Output,
    tolerant,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{StoreError, row};
use crate::domain::task::{Avoid, Counters, Holder, LastReport, Lease, Task, TaskState};

/// What a task's columns cannot say, as JSON in `detail`. Absent parts are left out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    avoid: Vec<Avoid>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected_because: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_report: Option<LastReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<Output>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<Output>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canceled: Option<CancelReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// A moment as its column holds it.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A moment from its column.
pub(crate) fn moment(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::corrupt(micros, error))
}

/// A moment that may be missing.
pub(crate) fn moment_opt(micros: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    micros.map(moment).transpose()
}

/// A count from its column.
pub(crate) fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|error| StoreError::corrupt(number, error))
}

/// A word, name or id from its column.
pub(crate) fn word<T>(text: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::corrupt(text, error))
}

/// JSON from its column. A coordinator of a newer version may have written more than this one knows; the rest is left out.
pub(crate) fn from_json<T: DeserializeOwned>(id: impl ToString, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).or_else(|error| tolerant::from_str(text).map_err(|_| StoreError::corrupt(id, error)))
}

/// JSON for a column. Our own types have only string keys and finite numbers, so this cannot fail in practice; should it,
/// `null` is refused on reading.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// Puts a task's state into its row. Columns that never change are left alone.
pub(crate) fn write_task(row: &mut row::task::Model, task: &Task, now: Timestamp) {
    let status = task.state.status();
    let claimable = task.is_ripe(now);
    let lease = task.state.lease();
    let holder = task.state.holder();
    row.state = status.as_str().to_owned();
    row.epoch = i64::from(task.epoch);
    row.claim_need = claimable.then_some(row.need_id);
    row.claim_priority = claimable.then_some(row.neg_priority);
    row.live_priority = (!status.is_terminal()).then_some(row.neg_priority);
    row.not_before = match &task.state {
        TaskState::Pending { not_before, .. } if !claimable => not_before.map(micros),
        _ => None,
    };
    row.worker_id = lease.map(|lease| lease.holder.worker.as_str().to_owned());
    row.lease_until = lease.map(|lease| micros(lease.until));
    row.holder_worker = holder.map(|holder| holder.worker.as_str().to_owned());
    row.holder_incarnation = holder.map(|holder| holder.incarnation.0);
    row.holder_token = holder.map(|holder| holder.token.0);
    row.failures = i64::from(task.counters.failures);
    row.crashes = i64::from(task.counters.crashes);
    row.rejections = i64::from(task.counters.rejections);
    row.ran = i64::from(task.ran);
    row.detail = to_json(&detail(task));
}

fn detail(task: &Task) -> Detail {
    let mut detail = Detail {
        avoid: task.avoid.clone(),
        rejected_because: task.rejected_because.clone(),
        last_report: task.last_report,
        kept: task.kept.clone(),
        ..Detail::default()
    };
    match &task.state {
        TaskState::Blocked | TaskState::Pending { .. } | TaskState::Assigned { .. } | TaskState::Running { .. } => {}
        TaskState::Publishing { outputs, .. } => detail.outputs.clone_from(outputs),
        TaskState::Canceling { by, reason, .. } => {
            detail.by = Some(by.clone());
            detail.canceled = Some(*reason);
        }
        TaskState::Completed { exit_code, outputs, .. } => {
            detail.exit_code = Some(*exit_code);
            detail.outputs.clone_from(outputs);
        }
        TaskState::Failed { failure, exit_code, signal, message, .. } => {
            detail.failure = Some(*failure);
            detail.exit_code = *exit_code;
            detail.signal = *signal;
            detail.message = Some(message.clone());
        }
        TaskState::Canceled { by, reason, exit_code, .. } => {
            detail.by = Some(by.clone());
            detail.canceled = Some(*reason);
            detail.exit_code = *exit_code;
        }
    }
    detail
}

/// The task that a row, and the row of its output, stand for.
pub(crate) fn read_task(row: &row::task::Model, output: &row::output::Model) -> Result<Task, StoreError> {
    let id = TaskId(row.id);
    let detail: Detail = from_json(id, &row.detail)?;
    Ok(Task {
        id,
        epoch: count(row.epoch)?,
        counters: Counters {
            failures: count(row.failures)?,
            crashes: count(row.crashes)?,
            rejections: count(row.rejections)?,
        },
        ran: row.ran != 0,
        stdout_taken: output.stdout_taken != 0,
        stdout_lost: output.stdout_lost != 0,
        next_seq: u64::try_from(output.next_seq).map_err(|error| StoreError::corrupt(id, error))?,
        avoid: detail.avoid.clone(),
        rejected_because: detail.rejected_because.clone(),
        last_report: detail.last_report,
        kept: detail.kept.clone(),
        state: read_state(row, detail)?,
    })
}

fn read_state(row: &row::task::Model, detail: Detail) -> Result<TaskState, StoreError> {
    let missing = |what: &str| StoreError::corrupt(TaskId(row.id), format!("{} without {what}", row.state));
    let holder = read_holder(row)?;
    let lease = || -> Result<Lease, StoreError> {
        Ok(Lease {
            holder: holder.clone().ok_or_else(|| missing("holder"))?,
            until: moment(row.lease_until.ok_or_else(|| missing("lease_until"))?)?,
        })
    };
    Ok(match word::<TaskStatus>(&row.state)? {
        TaskStatus::Blocked => TaskState::Blocked,
        TaskStatus::Pending => TaskState::Pending { not_before: moment_opt(row.not_before)?, resumable: holder },
        TaskStatus::Assigned => TaskState::Assigned { lease: lease()? },
        TaskStatus::Running => TaskState::Running { lease: lease()? },
        TaskStatus::Publishing => TaskState::Publishing { lease: lease()?, outputs: detail.outputs },
        TaskStatus::Canceling => TaskState::Canceling {
            lease: lease()?,
            by: detail.by.ok_or_else(|| missing("who asked"))?,
            reason: detail.canceled.ok_or_else(|| missing("reason"))?,
        },
        TaskStatus::Completed => TaskState::Completed {
            holder: holder.ok_or_else(|| missing("holder"))?,
            exit_code: detail.exit_code.ok_or_else(|| missing("exit code"))?,
            outputs: detail.outputs,
        },
        TaskStatus::Failed => TaskState::Failed {
            holder,
            failure: detail.failure.ok_or_else(|| missing("failure"))?,
            exit_code: detail.exit_code,
            signal: detail.signal,
            message: detail.message.unwrap_or_default(),
        },
        TaskStatus::Unknown => return Err(missing("a word for where it stands")),
        TaskStatus::Canceled => TaskState::Canceled {
            holder,
            by: detail.by.ok_or_else(|| missing("who asked"))?,
            reason: detail.canceled.ok_or_else(|| missing("reason"))?,
            exit_code: detail.exit_code,
        },
    })
}

fn read_holder(row: &row::task::Model) -> Result<Option<Holder>, StoreError> {
    match (&row.holder_worker, row.holder_incarnation, row.holder_token) {
        (None, None, None) => Ok(None),
        (Some(worker), Some(incarnation), Some(token)) => Ok(Some(Holder {
            worker: word::<WorkerId>(worker)?,
            incarnation: Incarnation(incarnation),
            token: Token(token),
        })),
        _ => Err(StoreError::corrupt(TaskId(row.id), "half a holder")),
    }
}
