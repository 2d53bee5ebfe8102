//! `cargo xtask test`: everything that must hold before a change is done.

use std::{
    env,
    io::{BufRead, BufReader, IsTerminal, Write, stdout},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::{
    install,
    run::{cargo, catch_interruptions, sh, shown, step, wait},
};

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                             everything, in the order: install, fmt, lint, build, test
  cargo xtask test --only fmt --only lint      the fast half
  cargo xtask test --only test recovery        builds what is needed and runs the tests with `recovery` in their name
  cargo xtask test -p ffleet-protocol          everything, but the tests of one package only";

/// Check formatting and lints, build everything and run every test
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Do only this step; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Step>,
    /// Test only this package; may be given several times
    #[arg(short, long)]
    package: Vec<String>,
    /// Run only tests with this text in their name
    filter: Option<String>,
}

/// The steps, in their order.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Install ffmpeg, Python and the servers that tests start; look for rustfmt and clippy
    Install,
    /// Formatting
    Fmt,
    /// Clippy; every warning is an error
    Lint,
    /// Programs and tests
    Build,
    /// Every test
    Test,
}

/// The coordinator with faults built in, for the fault run's negative controls. With one of the tests in view, the
/// dependencies are those that are there already; the released coordinator is not touched.
const SABOTAGED: [&str; 8] = [
    "build",
    "--workspace",
    "--locked",
    "--features=ffleet-coordinator/sabotage",
    "--bin",
    "ffleet-coordinator-sabotage",
    "--test",
    "tidy",
];

/// Does the steps that were asked for, in order, and stops at the first that fails.
pub fn run(args: &Args) -> Result<()> {
    catch_interruptions()?;
    let wanted = |step: Step| args.only.is_empty() || args.only.contains(&step);
    if wanted(Step::Install) {
        step("install", || {
            install::ffmpeg()
                .and_then(|()| install::python())
                .and_then(|()| install::servers())
                .and_then(|()| install::toolchain())
        })?;
    }
    if wanted(Step::Fmt) {
        step("fmt", || sh(&mut cargo(["fmt", "--all", "--check"])))?;
    }
    if wanted(Step::Lint) {
        step("lint", || {
            sh(&mut cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
        })?;
    }
    // Programs and tests are built in one go and with the same targets in view: built apart, features that only
    // tests need would have the shared dependencies compiled twice. The tests start the programs, so these must be fresh.
    if wanted(Step::Build) || wanted(Step::Test) {
        step("build", || {
            sh(&mut cargo(["build", "--workspace", "--all-targets", "--locked"]))?;
            sh(&mut cargo(SABOTAGED))
        })?;
    }
    if wanted(Step::Test) {
        step("test", || tests(args))?;
    }
    Ok(())
}

/// Runs the tests, shows what they print and closes with the sum over all of them.
fn tests(args: &Args) -> Result<()> {
    let mut command = cargo(["test", "--locked", "--no-fail-fast"]);
    if args.package.is_empty() {
        command.arg("--workspace");
    }
    for package in &args.package {
        command.args(["--package", package]);
    }
    // Most of the stories' time is spent waiting for leases, polls and processes, not computing.
    if env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        command.env("RUST_TEST_THREADS", (cores * 2).to_string());
    }
    if stdout().is_terminal() {
        command.args(["--color", "always"]);
    }
    command.args(&args.filter);
    let counts = tee(&mut command)?;
    println!("\n{} passed, {} failed", counts.passed, counts.failed);
    match (counts.ended_well, counts.passed, counts.failed) {
        (true, 0, 0) => bail!("no test has run"),
        (true, _, 0) => Ok(()),
        (_, _, failed) => bail!("{} ended badly; {failed} tests failed", shown(&command)),
    }
}

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    ended_well: bool,
}

/// Passes a command's output on, line by line, and adds up the `test result:` lines in it.
fn tee(command: &mut Command) -> Result<Counts> {
    println!("$ {}", shown(command));
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", shown(command)))?;
    let mut counts = Counts::default();
    let output = child.stdout.take().context("a child without the pipe it was given")?;
    for line in BufReader::new(output).split(b'\n') {
        let mut line = line?;
        if let Some((passed, failed)) = counted(&String::from_utf8_lossy(&line)) {
            counts.passed += passed;
            counts.failed += failed;
        }
        line.push(b'\n');
        stdout().write_all(&line)?;
    }
    counts.ended_well = wait(&mut child)?.success();
    Ok(counts)
}

/// Reads `test result: ok. 12 passed; 0 failed; …`, with or without colours in it.
fn counted(line: &str) -> Option<(u64, u64)> {
    let (_, rest) = line.split_once("test result: ")?;
    let number = |what: &str| {
        let before = rest.split_once(what)?.0;
        before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Some((number(" passed")?, number(" failed")?))
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn result_lines_are_counted() {
        let plain = "test result: ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(counted(plain), Some((12, 3)));
        assert_eq!(counted("test result: \u{1b}[32mok\u{1b}[m. 7 passed; 0 failed; 1 ignored"), Some((7, 0)));
        assert_eq!(counted("test follow::result ... ok"), None);
        assert_eq!(counted("test result: "), None);
    }
}
