//! `cargo xtask fuzz`: looks for bytes that the product does not stand, and keeps what it learnt.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, catch_interruptions, interrupted, output, root, sh, shown, step, wait};

const EXAMPLES: &str = "\
Examples:
  cargo xtask fuzz                          every target for 30 seconds
  cargo xtask fuzz --seconds 600 template   one target for ten minutes

What it finds is kept: inputs that reach new code in fuzz/corpus/TARGET, as few and as small as will do, and an input
that fails there as well, so that `cargo xtask test` fails until it is mended.";

/// libFuzzer's instrumentation, as plain flags that a stable compiler takes.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// How libFuzzer names inputs that failed.
const FAILED: [&str; 4] = ["crash-", "oom-", "timeout-", "leak-"];
/// Longest input, in bytes: enough for every form there is.
const LONGEST: u32 = 4096;

/// Feed the parsers with whatever libFuzzer comes up with
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Seconds for each target
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u32,
    /// Only these targets: folders of fuzz/corpus
    targets: Vec<String>,
}

/// Builds the instrumented program, runs each target, and minimises what it has found.
pub fn run(args: &Args) -> Result<()> {
    catch_interruptions()?;
    let corpus = root().join("fuzz/corpus");
    let targets = targets(&corpus, &args.targets)?;
    let program = step("build", build)?;
    let mut failed = Vec::new();
    for target in &targets {
        let held = step(&format!("{target}, {} s", args.seconds), || {
            fuzz(&program, &Places::of(&corpus, target)?, target, args.seconds)
        })?;
        if !held {
            failed.push(target.as_str());
        }
        if interrupted() {
            break;
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("found something in {}; see above", failed.join(", ")) }
}

fn targets(corpus: &Path, wanted: &[String]) -> Result<Vec<String>> {
    let folders = fs::read_dir(corpus).with_context(|| format!("cannot read {}", corpus.display()))?;
    let mut known = Vec::new();
    for folder in folders {
        known.push(folder?.file_name().to_string_lossy().into_owned());
    }
    known.sort();
    match wanted.iter().find(|target| !known.contains(target)) {
        Some(target) => bail!("there is no target {target}; there are {}", known.join(", ")),
        None if wanted.is_empty() => Ok(known),
        None => Ok(wanted.to_vec()),
    }
}

/// With a target named, the flags do not reach build scripts and macros, which libFuzzer has no part in.
fn build() -> Result<PathBuf> {
    let host = output(Command::new("rustc").arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let folder = root().join("target/fuzz");
    let mut command = cargo(["build", "--locked", "--profile", "fuzz", "--package", "ffleet-fuzz"]);
    command.args(["--features", "libfuzzer", "--bin", "ffleet-fuzz", "--target", host, "--target-dir"]);
    command.arg(&folder).env("RUSTFLAGS", INSTRUMENTED);
    sh(&mut command)?;
    Ok(folder.join(host).join("fuzz/ffleet-fuzz"))
}

/// Where a target reads and writes.
struct Places {
    /// What is kept in the repository.
    kept: PathBuf,
    /// Everything that this and earlier runs on this machine came up with.
    working: PathBuf,
    /// The smallest choice of both.
    chosen: PathBuf,
    /// Inputs that failed.
    failed: PathBuf,
}

impl Places {
    fn of(corpus: &Path, target: &str) -> Result<Self> {
        let under = |name: &str| root().join("target/fuzz").join(name).join(target);
        let places = Self {
            kept: corpus.join(target),
            working: under("corpus"),
            chosen: under("chosen"),
            failed: under("failed"),
        };
        for stale in [&places.chosen, &places.failed] {
            if stale.exists() {
                fs::remove_dir_all(stale)?;
            }
        }
        for folder in [&places.working, &places.chosen, &places.failed] {
            fs::create_dir_all(folder)?;
        }
        Ok(places)
    }
}

/// Whether the target held.
fn fuzz(program: &Path, places: &Places, target: &str, seconds: u32) -> Result<bool> {
    let prepared = || {
        let mut command = Command::new(program);
        command.env("FFLEET_FUZZ_TARGET", target).arg(format!("-max_len={LONGEST}"));
        command
    };
    let mut command = prepared();
    command.args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048", "-reload=0"]);
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", places.failed.display()));
    command.args([&places.working, &places.kept]);
    println!("$ {}", shown(&command));
    let held = wait(&mut command.spawn().with_context(|| format!("cannot start {}", program.display()))?)?.success();
    if held {
        let mut command = prepared();
        // By what is reached alone, not by how often: a tenth of the inputs, which are to be read by people as well.
        sh(command.args(["-set_cover_merge=1", "-use_counters=0"]).args([
            &places.chosen,
            &places.kept,
            &places.working,
        ]))?;
        replace(&places.chosen, &places.kept)?;
        println!("{} inputs are kept in {}", fs::read_dir(&places.kept)?.count(), places.kept.display());
    }
    for file in fs::read_dir(&places.failed)? {
        let file = file?;
        fs::copy(file.path(), places.kept.join(file.file_name()))?;
        println!("kept {} in {}", file.file_name().display(), places.kept.display());
    }
    Ok(held)
}

/// What was chosen takes the place of what was kept. Inputs that failed once stay, whether or not they reach new code.
fn replace(chosen: &Path, kept: &Path) -> Result<()> {
    for file in fs::read_dir(kept)? {
        let file = file?;
        if !FAILED.iter().any(|word| file.file_name().as_encoded_bytes().starts_with(word.as_bytes())) {
            fs::remove_file(file.path())?;
        }
    }
    for file in fs::read_dir(chosen)? {
        let file = file?;
        fs::copy(file.path(), kept.join(file.file_name()))?;
    }
    Ok(())
}
