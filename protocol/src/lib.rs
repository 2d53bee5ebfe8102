//! What clients, workers and coordinators say to each other: ids, specs, views, states, path templates, nudge topics,
//! error codes and request signing.
//!
//! Everything here is pure: no I/O and no clock. Whoever needs the time passes it in.

pub mod account;
pub mod event;
pub mod id;
pub mod job;
pub mod limits;
pub mod log;
pub mod overview;
pub mod problem;
pub mod sign;
pub mod state;
pub mod task;
pub mod template;
pub mod tolerant;
pub mod topic;
mod unique;
pub mod version;
pub mod worker;

/// A moment in UTC, with microseconds; on the wire as RFC 3339 text.
pub type Timestamp = jiff::Timestamp;

pub use version::PROTOCOL_VERSION;
