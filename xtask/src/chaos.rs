//! `cargo xtask chaos`: the fault run, as long as somebody wants it.

use std::process::Command;

use anyhow::Result;

use crate::{
    install,
    run::{built, cargo, catch_interruptions, quietly, sh, step},
};

const EXAMPLES: &str = "\
Examples:
  cargo xtask chaos                                      1,000 jobs and 200 faults, from a seed that it shows
  cargo xtask chaos --jobs 150 --faults 40 --seed 7      decides the same jobs and faults every time
  cargo xtask chaos --json > report.json                 the report for a program; progress goes to stderr
  cargo xtask chaos --galera                             500 jobs and 120 faults on a whole installation: three Galera
                                                         nodes, two brokers, three coordinators, HAProxy before both
  cargo xtask chaos --galera --jobs 40 --faults 10       every fault of those servers once, and no other

It ends with 0 if every promise was kept. If not, it lists what was broken and where, keeps the database and the logs,
and says how to do the same again. `cargo xtask test` runs a short one.";

/// Let things go wrong in a fleet on this machine, and check that every promise was kept
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Jobs to submit; faults submit some of their own [default: 1000, with --galera 500]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Faults to inject [default: 200, with --galera 120]
    #[arg(long, value_name = "M")]
    faults: Option<usize>,
    /// Not two coordinators on a file, but three behind HAProxy on a Galera cluster with RabbitMQ and Mosquitto, which are
    /// killed, stopped, cut off and purged as well
    #[arg(long)]
    galera: bool,
    /// Decides every job and every fault; drawn and shown unless given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Print the report as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Builds everything, as the tests do, and starts the fault run.
pub fn run(args: &Args) -> Result<()> {
    catch_interruptions()?;
    let mut command = Command::new(built()?.join("chaos"));
    let (jobs, faults) = if args.galera { (500, 120) } else { (1_000, 200) };
    command.arg(format!("--jobs={}", args.jobs.unwrap_or(jobs)));
    command.arg(format!("--faults={}", args.faults.unwrap_or(faults)));
    command.args(args.galera.then_some("--galera"));
    command.args(args.seed.map(|seed| format!("--seed={seed}")));
    if args.json {
        // Standard output is for the report alone. Whoever reads it by a program has run the other form before.
        quietly(&mut cargo(BUILD))?;
        return quietly(command.arg("--json"));
    }
    step("install", || install::ffmpeg().and_then(|()| if args.galera { install::servers() } else { Ok(()) }))?;
    step("build", || sh(&mut cargo(BUILD)))?;
    step("chaos", || sh(&mut command))
}

/// The targets that the tests have in view as well, so that nothing is compiled twice.
const BUILD: [&str; 4] = ["build", "--workspace", "--all-targets", "--locked"];
