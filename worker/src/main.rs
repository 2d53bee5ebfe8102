//! The program `ffleet-worker`.

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use ffleet_client::KeyError;
use ffleet_nudges::BadNotify;
use ffleet_settings::{Overrides, SettingsError};
use ffleet_worker::{
    agent::{self, Farewell},
    check,
    config::Config,
    state::StateDirError,
    telemetry,
};
use nix::sys::resource::{Resource, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Claims tasks from ffleet coordinators and runs FFmpeg.
///
/// SIGTERM or SIGINT: takes no new work, finishes what runs, and leaves. A second one stops what runs and hands it back.
#[derive(Parser)]
#[command(name = "ffleet-worker", version)]
struct Cli {
    /// Configuration file. Without it: $FFLEET_WORKER_CONFIG, ./worker.toml, the user's and the system's ffleet/ folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of this worker (`id`).
    #[arg(long, global = true, value_name = "NAME")]
    id: Option<String>,
    /// Tasks run at once (`slots`).
    #[arg(long, global = true, value_name = "N")]
    slots: Option<u32>,
    /// How much is told (`log.level`).
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// The same as `check`.
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Register and work (the default).
    Run,
    /// Print the effective configuration, try programs, path variables and coordinators, and say what does not work.
    Check,
    /// Write man pages and completions, for installers.
    #[command(hide = true)]
    Manual(ffleet_manual::Args),
}

const FAILED: u8 = 1;
/// The configuration, the key file or the state directory cannot be used.
const WRONG: u8 = 2;
/// Another start of this worker has taken over; starting again would only take it back.
const SUPERSEDED: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    match start(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ffleet-worker: {error:#}");
            // Starting again would bring the same; whoever restarts programs can tell it from a failure that may pass.
            let wrong = error.is::<SettingsError>()
                || error.is::<KeyError>()
                || error.is::<BadNotify>()
                || error.is::<StateDirError>();
            ExitCode::from(if wrong { WRONG } else { FAILED })
        }
    }
}

async fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Some(Command::Manual(args)) = &cli.command {
        args.write(&Cli::command())?;
        return Ok(ExitCode::SUCCESS);
    }
    let overrides = Overrides::none().flag("--id", "id", cli.id).flag("--slots", "slots", cli.slots).flag(
        "--log-level",
        "log.level",
        cli.log_level,
    );
    let config = Config::load(cli.config, &overrides)?;
    match cli.command {
        Some(Command::Check) => return checked(&config).await,
        Some(Command::Run) | None if cli.check_config => return checked(&config).await,
        Some(Command::Run | Command::Manual(_)) | None => {}
    }
    telemetry::init(&config.log)?;
    // A core dump would hold the key.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    match agent::run(config, requests_to_stop()?).await? {
        Farewell::Left => Ok(ExitCode::SUCCESS),
        Farewell::Superseded => Ok(ExitCode::from(SUPERSEDED)),
    }
}

async fn checked(config: &Config) -> anyhow::Result<ExitCode> {
    Ok(if check::check(config).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A message for each SIGTERM and SIGINT.
fn requests_to_stop() -> anyhow::Result<mpsc::UnboundedReceiver<()>> {
    let (told, requests) = mpsc::unbounded_channel();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let told = told.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && told.send(()).is_ok() {} });
    }
    Ok(requests)
}
