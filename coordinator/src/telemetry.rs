//! What is written about the running program: lines for people or JSON for collectors, to stderr.
//!
//! Secrets and signatures are never in them: the types that hold them cannot be printed, and requests are logged by
//! method, path and outcome, never by their headers.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Begins to write. Can be done once in a process.
///
/// # Errors
/// When the level is not understood, or somebody has begun already.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let filter: EnvFilter = log.level.parse()?;
    let base = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => {
            let lines = tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal());
            base.with(lines.with_writer(std::io::stderr)).try_init()?;
        }
        LogFormat::Json => {
            let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
            base.with(lines.with_writer(std::io::stderr)).try_init()?;
        }
    }
    Ok(())
}
