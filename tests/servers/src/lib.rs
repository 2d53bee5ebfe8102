//! Real servers for tests: MariaDB, Galera, PostgreSQL, RabbitMQ, Mosquitto and HAProxy, each started on free ports of
//! 127.0.0.1 with its data under a temporary folder, and stopped when dropped or when the test program ends, however it
//! ends.
//!
//! ```no_run
//! use ffleet_servers::{Galera, MariaDb};
//!
//! let url = MariaDb::shared().database(); // mysql://ffleet:…@127.0.0.1:PORT/ffleet1
//! let galera = Galera::start();
//! let [first, second, third] = galera.database();
//! galera.nodes()[1].kill9();
//! galera.nodes()[1].restart();
//! galera.wait_synced();
//! ```
//!
//! Every server is a [`Process`], so it can be killed, paused, asked to end, and started again with the same ports and
//! the same data. Everything blocks; async tests call it in `spawn_blocking`. Started by root, MariaDB, PostgreSQL and
//! RabbitMQ run as the accounts that their packages made, because they refuse to be root; HAProxy and Mosquitto stay
//! root, so that they can read the keys that a test made. Started by anybody else, all of them run as that user.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness that cannot go on fails its test, with the place where it stood"
)]

mod authority;
mod datadir;
mod deployed;
mod folder;
mod galera;
mod haproxy;
mod mariadb;
mod mosquitto;
mod names;
mod ports;
mod postgres;
mod process;
mod programs;
mod rabbitmq;
mod shipped;
mod waits;

use std::time::Duration;

pub use authority::{Authority, Identity};
pub use deployed::{Front, galera_check};
pub use galera::{Galera, Node};
pub use haproxy::HaProxy;
pub use mariadb::MariaDb;
pub use mosquitto::Mosquitto;
pub use ports::free_port;
pub use postgres::Postgres;
pub use process::Process;
pub use rabbitmq::RabbitMq;
pub use shipped::Shipped;
pub use waits::until;

/// The account that tests use in databases: it owns every database whose name begins with its own.
pub const USER: &str = "ffleet";

/// The password of [`USER`].
pub const PASSWORD: &str = "a-test-password";

/// How long anything is waited for before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);
