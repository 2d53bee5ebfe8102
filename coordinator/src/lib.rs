//! The ffleet coordinator: owns the life cycles of jobs, tasks and workers.
//!
//! `domain` and `plan` decide and do nothing else; `store` keeps rows; `notify` rings bells; `ops` puts these together,
//! one verb per file; `http` and `janitor` are the two that ask.

pub mod app;
pub mod auth;
pub mod config;
pub mod domain;
pub mod http;
pub mod janitor;
pub mod notify;
pub mod ops;
pub mod plan;
pub mod run;
mod sabotage;
pub mod store;
pub mod tail;
pub mod telemetry;
