//! The worker: claims tasks, runs FFmpeg, and tells what came of it.
//!
//! [`agent`] is the worker as a whole; [`claim`] brings work; [`attempt`] is the story of one task; [`process`] is the only
//! place that starts a child; [`shipping`] carries output; [`mounts`] knows what path variables stand for; [`ffmpeg`] and
//! [`progress`] are pure knowledge; [`reports`] and [`leftovers`] deal with what outlives a start of the worker.

pub mod agent;
pub mod attempt;
pub mod capabilities;
pub mod check;
pub mod claim;
pub mod clock;
pub mod config;
pub mod ffmpeg;
pub mod leftovers;
pub mod mounts;
pub mod process;
pub mod progress;
pub mod reports;
pub mod shipping;
pub mod state;
pub mod telemetry;
