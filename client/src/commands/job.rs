//! `ffleet job …`

use clap::Subcommand;

use super::{Context, attach, cancel, explain, list, logs, retry, show, wait};

/// See and steer jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List jobs, the newest first
    List(list::Args),
    /// Show everything about a job
    Show(show::Args),
    /// Print the output of a job
    Logs(logs::Args),
    /// Follow a job as if it had been submitted here
    Attach(attach::Args),
    /// Wait until jobs have ended
    Wait(wait::Args),
    /// Cancel jobs
    Cancel(cancel::Args),
    /// Submit an ended job again, as a new job
    Retry(retry::Args),
    /// Say why a job does not run yet
    Explain(explain::Args),
}

/// Runs the command.
pub async fn run(context: &Context<'_>, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::List(args) => list::run(context, args).await,
        Command::Show(args) => show::run(context, &args).await,
        Command::Logs(args) => logs::run(context, args).await,
        Command::Attach(args) => attach::run(context, &args).await,
        Command::Wait(args) => wait::run(context, &args).await,
        Command::Cancel(args) => cancel::run(context, &args).await,
        Command::Retry(args) => retry::run(context, &args).await,
        Command::Explain(args) => explain::run(context, &args).await,
    }
}
