//! The rules of the game: what may follow what in the life of a task, a job and a worker, who fits what, and whose turn
//! it is.
//!
//! Everything here decides and nothing here does: no database, no network, no files and no clock. Facts come in as
//! arguments, among them the store's own time; what has become true comes out as a value that the caller commits.

pub mod event;
pub mod job;
pub mod logcap;
pub mod needs;
pub mod policy;
pub mod share;
pub mod task;
pub mod transition;
pub mod worker;

pub use event::{AttemptChange, Event, Finish, Lapse, Next, Quote, Refusal, Wake};
pub use job::{outcome_of, status_of};
pub use needs::{need_from_key, need_key, unfit};
pub use policy::{Defaults, Policy};
pub use share::{fair_key, is_suspect, share};
pub use task::{Avoid, Counters, Holder, LastReport, Lease, ReportKind, Task, TaskState};
pub use transition::Takes;
pub use worker::{Standing, WorkerEvent};

#[cfg(test)]
mod tests;
