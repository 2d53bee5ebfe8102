//! Each server starts, answers, is killed and comes back with its data. They are real, so this takes a while. The cluster of
//! databases is the stories' business.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod brokers;
mod databases;
mod ending;
mod haproxy;
