//! Whole-system tests: a [`Fleet`] of real coordinators, workers and clients in a temporary folder, followed through the
//! product's own streams, and a fake encoder that does what a test tells it.
//!
//! ```no_run
//! # use ffleet_tests::{Fleet, job};
//! # use ffleet_protocol::state::JobStatus;
//! # async fn story() {
//! let fleet = Fleet::start().await;
//! let doomed = fleet.worker("doomed").await;
//! let gate = fleet.gate("go");
//! let id = fleet.submit(&job(["-fake-gate", &gate.template()])).await;
//! fleet.wait(id).until(JobStatus::Running).await; // fails at once if the job ends otherwise
//! doomed.kill9().await;
//! # }
//! ```
//!
//! Dropping the fleet stops everything and checks that nothing is left: no leased task, no process; and that the history
//! of every task was legal ([`checker`]). When a test fails, the end of every process's log is printed. The fault run is
//! [`chaos`].
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness that cannot go on fails its test, with the place where it stood"
)]

mod certificates;
pub mod chaos;
pub mod checker;
mod cli;
mod cluster;
mod coordinator;
mod disk;
mod ending;
mod fleet;
mod gate;
mod hand;
mod jobs;
pub mod load;
#[path = "bin/fake-ffmpeg/noise.rs"]
mod noise;
mod orphans;
mod places;
mod process;
mod proxy;
mod setup;
mod terminal;
mod trial;
mod waits;
mod worker;

use std::time::Duration;

pub use cli::{Cli, Ran};
pub use cluster::Cluster;
pub use coordinator::Coordinator;
pub use disk::SmallDisk;
pub use fleet::Fleet;
pub use gate::Gate;
pub use hand::{Hand, Held};
pub use jobs::{job, spec};
pub use noise::noise;
pub use places::{program, repository};
pub use process::Process;
pub use proxy::{Answered, Faults, On, Proxy, Rule, Traffic, Way};
pub use setup::{SHORT_LEASES, Setup};
pub use terminal::Terminal;
pub use trial::Trial;
pub use waits::{Wait, output, stderr_text};
pub use worker::{Worker, WorkerSetup};

/// How long a test waits for anything before it fails: long enough for two busy cores, short enough to be waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);
