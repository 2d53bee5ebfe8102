//! `cargo xtask bench`: builds what is released, as it is released, and measures it.

use anyhow::{Result, bail};

use crate::{
    install,
    run::{cargo, catch_interruptions, root, shown, step, wait},
};

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench                          every figure; some six minutes on two processors
  cargo xtask bench --list                   the names of the lines
  cargo xtask bench --only submit life       these lines alone
  cargo xtask bench --quick                  shorter runs and rough figures

Nothing else should run meanwhile. The report is target/bench/report.json; docs/performance.md says what each figure
means. Ends with 3 when a figure was not reached.";

/// Measure the released programs on this machine
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Only these lines
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Name the lines and what they measure
    #[arg(long)]
    list: bool,
    /// Shorter runs and rough figures
    #[arg(long)]
    quick: bool,
}

/// Builds and measures.
pub fn run(args: &Args) -> Result<()> {
    catch_interruptions()?;
    step("install", || install::ffmpeg().and_then(|()| install::servers()))?;
    let packages = ["ffleet-coordinator", "ffleet-worker", "ffleet-client", "ffleet-tests"];
    let packages = packages.map(|name| ["--package", name]);
    step("build", || {
        crate::run::sh(cargo(["build", "--release", "--bins", "--locked"]).args(packages.as_flattened()))
    })?;
    step("bench", || measure(args))
}

fn measure(args: &Args) -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let mut command = std::process::Command::new(target.join("release/bench"));
    command.current_dir(root()).arg("--out").arg(target.join("bench"));
    for name in &args.only {
        command.args(["--only", name]);
    }
    command.args(args.list.then_some("--list")).args(args.quick.then_some("--quick"));
    println!("$ {}", shown(&command));
    let status = wait(&mut command.spawn()?)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(3) => bail!("not every figure was reached"),
        _ => bail!("{} ended with {status}", shown(&command)),
    }
}
