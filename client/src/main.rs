//! `ffleet`: submits FFmpeg commands to a fleet and follows them.

mod cli;
mod commands;
mod config;
mod dropin;
mod durations;
mod each;
mod errors;
mod exit;
mod ids;
mod output;
mod progress;
mod screen;
mod show;
mod table;
mod tally;
mod top;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

use crate::{cli::Cli, dropin::Invocation, output::Output};

fn main() -> ExitCode {
    // Before clap looks: FFmpeg's arguments are not ours to read.
    if let Some(invocation) = Invocation::of(std::env::args_os()) {
        return match dropin::global(&invocation.before) {
            Ok(global) => dropin::main(&invocation, &global),
            Err(error) => not_understood(&error),
        };
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let out = Output::new(cli.global.json);
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        log.with_ansi(out.color_err()).init();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out.failure(&anyhow::Error::new(error).context("cannot start").into());
            return ExitCode::from(exit::OURS);
        }
    };
    let code = match runtime.block_on(commands::run(cli, &out)) {
        Ok(code) => code,
        Err(failure) => {
            out.failure(&failure);
            exit::OURS
        }
    };
    // A call that is still waiting for its answer must not hold up the end.
    runtime.shutdown_background();
    ExitCode::from(code)
}

fn not_understood(error: &clap::Error) -> ExitCode {
    // Nothing can be said when the stream that is told is closed.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(exit::OURS),
    }
}
