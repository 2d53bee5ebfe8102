//! Databases that are servers of their own, to which several coordinators write at once: MariaDB, a Galera cluster of it,
//! PostgreSQL.

mod lane;
mod link;
mod open;
mod proof;
mod reader;
mod settings;
mod statements;
mod writer;

pub(super) use open::open;
pub(super) use reader::Links;
pub use settings::Finding;
pub(super) use statements::{Step, inserted};
pub(super) use writer::Writer;
