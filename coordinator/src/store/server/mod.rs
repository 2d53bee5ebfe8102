//! Databases that are servers of their own, to which several coordinators write at once: MariaDB, a Galera cluster of it,
//! PostgreSQL.

mod advice;
mod lane;
mod link;
mod open;
mod proof;
mod reader;
mod settings;
mod statements;
mod writer;

pub(crate) use advice::advice;
pub(super) use link::{Link, Nature, Purpose, failed, nature};
pub(super) use open::{connected, migrate, open, target};
pub(super) use reader::Links;
pub(super) use settings::Settings;
pub use settings::{Cluster, Finding};
pub(super) use statements::{Step, inserted, inserted_values, weight};
pub(super) use writer::Writer;
