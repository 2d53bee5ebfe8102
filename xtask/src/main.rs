//! The commands people run in this repository: `cargo xtask demo`, `cargo xtask test`, `cargo xtask chaos`,
//! `cargo xtask bench`.
//!
//! Each installs what it needs first, so that a bare Debian machine with Rust and a clone is enough.

mod bench;
mod chaos;
mod demo;
mod fuzz;
mod install;
mod place;
mod run;
mod scene;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands people run in this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask demo                  watch an encode travel through a coordinator to a worker and back
  cargo xtask test                  everything that must hold before a change is done
  cargo xtask test --only test      the tests alone
  cargo xtask chaos --seed 7        many jobs among many faults, and every promise kept
  cargo xtask chaos --galera        the same with a cluster of databases, brokers and HAProxy, which fail too
  cargo xtask fuzz                  look for bytes that the parsers do not stand, for 30 seconds each
  cargo xtask bench                 what it does in a second, and what it costs, on this machine
  cargo xtask install --prefix DIR  install the three programs, man pages and completions
  cargo xtask prepare               install what all of these need, and nothing else";

#[derive(Subcommand)]
enum Command {
    /// Run a coordinator, a worker and a client on this machine and encode a clip with them
    Demo(demo::Args),
    /// Check formatting and lints, build everything and run every test
    Test(test::Args),
    /// Let things go wrong in a fleet on this machine, and check that every promise was kept
    Chaos(chaos::Args),
    /// Feed the parsers with whatever libFuzzer comes up with
    Fuzz(fuzz::Args),
    /// Measure the released programs on this machine
    Bench(bench::Args),
    Install(place::Args),
    /// Install what demo and test need (ffmpeg, ffprobe, Python's venv)
    Prepare,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Install(args) => place::run(&args),
        Command::Prepare => install::ffmpeg().and_then(|()| install::python()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            if run::interrupted() { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}
