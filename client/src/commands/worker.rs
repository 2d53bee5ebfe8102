//! `ffleet worker …`

use clap::Subcommand;
use ffleet_protocol::id::WorkerId;

use super::Context;
use crate::show;

/// See and steer workers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List workers
    List,
    /// Show what a worker has
    Show(Args),
    /// Let a worker finish what runs, and leave
    Drain(Args),
    /// Give a worker no new work
    Pause(Args),
    /// Give a worker work again
    Resume(Args),
}

/// Which worker.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The worker's name
    worker: WorkerId,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, command: Command) -> anyhow::Result<u8> {
    let Context { api, out, .. } = context;
    let worker = match command {
        Command::List => {
            out.show_all(&api.workers().await?.workers, show::workers)?;
            return Ok(0);
        }
        Command::Show(args) => api.worker(&args.worker).await?,
        Command::Drain(args) => api.drain(&args.worker).await?,
        Command::Pause(args) => api.pause(&args.worker).await?,
        Command::Resume(args) => api.resume(&args.worker).await?,
    };
    out.show(&worker)?;
    Ok(0)
}
