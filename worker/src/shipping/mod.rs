//! The way of a task's output to the coordinator: split into records, numbered, kept until somebody has taken them.
//!
//! Whoever reads a pipe never waits for the network: records go into a [`Spool`], first in memory, then on disk, and when
//! that is full they are declared dropped while the program goes on. The [`Shipper`] sends from its front and forgets
//! only what was taken.

mod disk;
mod lines;
mod shipper;
mod spool;

pub use disk::Budget;
pub use lines::{Line, Splitter};
pub use shipper::{Shipped, Shipper};
pub use spool::{Spool, SpoolFile, Totals};
