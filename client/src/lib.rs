//! Talks to ffleet coordinators: signed HTTP with retries over several coordinators, streams that continue where they
//! broke off, and the turning of local paths into path variables. The program `ffleet` and the worker are built on it.

pub mod api;
pub mod follow;
pub mod key;
pub mod paths;

pub use api::{Api, ApiError, Attempted, Connection, EventStream, RecordStream, RetryOptions};
pub use follow::{Followed, Follower};
pub use key::{KeyError, load_key, load_key_of};
pub use paths::{MappedCommand, PathMap};
