//! Bells: how whoever waits learns that it is worth looking again. A ring carries a topic and no facts; losing one costs
//! time, never truth, because everybody who waits also looks by themselves now and then.

mod bells;
mod claimers;

pub use bells::{Bells, Listening};
pub use claimers::Waiting;
