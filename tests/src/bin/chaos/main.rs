//! The fault run as a program: see the library's `chaos`. `cargo xtask chaos` builds everything it needs and starts it.

use std::process::ExitCode;

use clap::Parser;
use ffleet_tests::chaos::{Mix, Options, run};

/// Let things go wrong in a fleet on this machine, and check that every promise was kept
#[derive(Parser)]
struct Cli {
    /// Jobs to submit; faults submit some of their own
    #[arg(long, default_value_t = 150)]
    jobs: usize,
    /// Faults to inject
    #[arg(long, default_value_t = 40)]
    faults: usize,
    /// Decides every job and every fault; drawn and shown unless given
    #[arg(long)]
    seed: Option<u64>,
    /// With three coordinators behind HAProxy, three Galera nodes and two brokers, which meet faults as well
    #[arg(long)]
    galera: bool,
    /// Print the report as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let seed = cli.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let mix = if cli.galera { Mix::Cluster } else { Mix::Everything };
    let report = Box::pin(run(Options { jobs: cli.jobs, faults: cli.faults, seed, mix, ..Options::default() })).await;
    if cli.json {
        println!("{}", report.to_json());
    } else {
        println!("{report}");
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
