//! Load: coordinators as they are released, and clients and workers that cost next to nothing, so that what is measured is
//! the coordinator. They speak real HTTP over loopback and sign every request as the product's own programs do.

pub mod fill;
mod http;
mod proc;
mod samples;
mod signer;
mod site;
mod worker;

pub use http::{Answer, Line, Pieces};
pub use proc::{Usage, usage};
pub use samples::Samples;
pub use signer::Signer;
pub use site::{Program, Site};
pub use worker::{Granted, SimWorker, registration};
