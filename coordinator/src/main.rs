//! `ffleet-coordinator`: see `cli` for what it can be asked to do.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use commands::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    no_core_dumps();
    many_connections();
    let done = match cli.command {
        Some(Command::Init(args)) => commands::init::run(&args),
        Some(Command::Account(command)) => Box::pin(commands::account::run(&cli.settings, command)).await,
        Some(Command::Check(args)) => Box::pin(commands::check_database::run(&cli.settings, &args)).await,
        Some(Command::Migrate(args)) => Box::pin(commands::migrate::run(&cli.settings, &args)).await,
        Some(Command::Export(args)) => Box::pin(commands::export::run(&cli.settings, &args)).await,
        Some(Command::Import(args)) => Box::pin(commands::import::run(&cli.settings, &args)).await,
        Some(Command::Manual(args)) => args.write(&Cli::command()).map_err(|error| Failure::Failed(error.to_string())),
        None | Some(Command::Serve) if cli.check_config => commands::check::run(&cli.settings),
        None | Some(Command::Serve) => Box::pin(commands::serve::run(&cli.settings)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ffleet-coordinator: {failure}");
            failure.exit_code()
        }
    }
}

/// Master key and secrets are in this process's memory; a core dump would put them on disk. Where this is not allowed to
/// be set, it is not allowed to be raised either.
fn no_core_dumps() {
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
}

/// Every connection is an open file, and every follower and waiting worker a connection. The usual soft limit of 1,024 is
/// for programs that use select(2); the hard one is what this machine really allows. With less we serve fewer, no worse.
fn many_connections() {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(RLIMIT_NOFILE) {
        let _ = setrlimit(RLIMIT_NOFILE, hard, hard);
    }
}
