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

It ends with 0 if every promise was kept. If not, it lists what was broken and where, keeps the database and the logs,
and says how to do the same again. `cargo xtask test` runs a short one.";

/// Let things go wrong in a fleet on this machine, and check that every promise was kept
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Jobs to submit; faults submit some of their own
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    jobs: usize,
    /// Faults to inject
    #[arg(long, value_name = "M", default_value_t = 200)]
    faults: usize,
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
    command.arg(format!("--jobs={}", args.jobs)).arg(format!("--faults={}", args.faults));
    command.args(args.seed.map(|seed| format!("--seed={seed}")));
    if args.json {
        // Standard output is for the report alone. Whoever reads it by a program has run the other form before.
        quietly(&mut cargo(BUILD))?;
        return quietly(command.arg("--json"));
    }
    step("install", install::ffmpeg)?;
    step("build", || sh(&mut cargo(BUILD)))?;
    step("chaos", || sh(&mut command))
}

/// The targets that the tests have in view as well, so that nothing is compiled twice.
const BUILD: [&str; 4] = ["build", "--workspace", "--all-targets", "--locked"];
