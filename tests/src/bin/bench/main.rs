//! `bench`: what the released programs do on this machine, beside what the machine itself does. `cargo xtask bench` builds
//! everything in release and runs it; docs/performance.md says what each figure means.
//!
//! One thread makes all the load: the programs under test need the processors more.

mod figures;
mod jobs;
mod raw;
mod report;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use ffleet_tests::load::Site;

use report::Report;

/// Measure the released programs
#[derive(Parser)]
struct Cli {
    /// Only these lines; `--list` names them
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Name the lines and what they measure
    #[arg(long)]
    list: bool,
    /// Shorter runs, for trying something out; their figures are rough
    #[arg(long)]
    quick: bool,
    /// Where the report and temporary folders go
    #[arg(long, default_value = "target/bench", value_name = "FOLDER")]
    out: PathBuf,
}

/// What every line has at hand.
pub struct Bench {
    quick: bool,
    programs: PathBuf,
    out: PathBuf,
}

impl Bench {
    /// A count of things, a tenth of it when in a hurry.
    fn count(&self, whole: u64) -> u64 {
        if self.quick { (whole / 10).max(1) } else { whole }
    }

    /// A fresh coordinator.
    async fn site(&self, more: &str) -> Result<Site> {
        Site::start(&self.out, &self.programs, more).await.context("no coordinator")
    }

    /// A program that lies beside this one.
    fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure(&Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("\nNot every figure was reached.");
            ExitCode::from(3)
        }
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what was asked for; says whether all of it was reached.
async fn measure(cli: &Cli) -> Result<bool> {
    if cli.list {
        figures::ALL.iter().for_each(|line| println!("{:<10} {}", line.name, line.about));
        return Ok(true);
    }
    if let Some(unknown) = cli.only.iter().find(|name| figures::ALL.iter().all(|line| line.name != **name)) {
        bail!("there is no line {unknown:?}; `--list` names them");
    }
    if cfg!(debug_assertions) {
        eprintln!("These programs are not optimised; `cargo xtask bench` builds and runs the right ones.");
    }
    let me = env::current_exe().context("cannot tell where this program lies")?;
    let programs = me.parent().unwrap_or(Path::new(".")).to_owned();
    fs::create_dir_all(&cli.out).with_context(|| format!("cannot make {}", cli.out.display()))?;
    let bench = Bench { quick: cli.quick, programs, out: cli.out.canonicalize()? };
    let mut report = Report::begin();
    for line in figures::ALL.iter().filter(|line| cli.only.is_empty() || cli.only.iter().any(|name| name == line.name))
    {
        report.announce(line.name, line.about);
        let began = Instant::now();
        match (line.run)(&bench).await {
            Ok(figures) => report.add(figures, began.elapsed()),
            Err(error) => report.failed(line.name, &error),
        }
        report.write(&bench.out.join("report.json"))?;
    }
    Ok(report.finish())
}
