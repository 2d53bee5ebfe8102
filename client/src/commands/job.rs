//! `ffleet job …`

use clap::Subcommand;

use super::{Context, attach, cancel, explain, list, logs, retry, show, wait};

/// See and steer jobs. What each of them does is said by its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::Args),
    Show(show::Args),
    Logs(logs::Args),
    Attach(attach::Args),
    Wait(wait::Args),
    Cancel(cancel::Args),
    Retry(retry::Args),
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
