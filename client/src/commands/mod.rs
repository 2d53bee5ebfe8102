//! A command per file: its arguments, their help, and `run`.

pub mod account;
pub mod attach;
pub mod cancel;
pub mod completions;
pub mod config_check;
mod crowd;
pub mod each;
pub mod explain;
pub mod following;
pub mod janitor;
pub mod job;
pub mod list;
pub mod logs;
pub mod retry;
pub mod show;
pub mod status;
pub mod submit;
pub mod top;
pub mod wait;
pub mod worker;

use clap::CommandFactory;
use ffleet_client::Api;

use crate::{
    cli::{Cli, Command},
    config::{self, Config},
    errors::Failure,
    output::Output,
};

/// What every command that talks to coordinators needs.
pub struct Context<'a> {
    /// The effective configuration.
    pub config: &'a Config,
    /// The coordinators.
    pub api: Api,
    /// Where results go.
    pub out: &'a Output,
}

/// Runs the command and says with which code to end.
pub async fn run(cli: Cli, out: &Output) -> Result<u8, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Completions(args) => Ok(completions::run(&args)?),
        Command::Manual(args) => {
            args.write(&Cli::command())?;
            Ok(0)
        }
        Command::Config(config_check::Command::Check(_)) => Ok(config_check::run(&global, out).await?),
        // Those that come so far have something in front of the program's name that they must not have.
        Command::Ffmpeg(_) | Command::Ffprobe(_) => {
            Err(anyhow::anyhow!("in front of ffmpeg and ffprobe only --coordinator, --key-file and --config may stand")
                .into())
        }
        Command::Submit(args) => connected(&global, out, async |context| submit::run(context, *args).await).await,
        Command::Job(command) => connected(&global, out, async |context| job::run(context, command).await).await,
        Command::Worker(command) => connected(&global, out, async |context| worker::run(context, command).await).await,
        Command::Top(args) => connected(&global, out, async |context| top::run(context, &args).await).await,
        Command::Account(command) => {
            connected(&global, out, async |context| account::run(context, command).await).await
        }
        Command::Janitor(args) => connected(&global, out, async |context| janitor::run(context, &args).await).await,
        Command::Status(args) => connected(&global, out, async |context| status::run(context, &args).await).await,
    }
}

async fn connected(
    global: &crate::cli::Global,
    out: &Output,
    command: impl AsyncFnOnce(&Context<'_>) -> anyhow::Result<u8>,
) -> Result<u8, Failure> {
    let loaded = config::load(global)?;
    let config = &loaded.value;
    let notes = out.clone();
    let api = config.api()?.on_silence(move |left| {
        notes.note(&format!("no coordinator answers yet; asking again for up to {} s", left.as_secs()));
    });
    let context = Context { config, api, out };
    Box::pin(command(&context)).await.map_err(|error| Failure {
        error,
        key_file: config.key_file.clone(),
        file: loaded.path.clone(),
    })
}
