//! `ffleet top`

use std::{
    io::{IsTerminal, stdin},
    time::Duration,
};

use ffleet_protocol::overview::OverviewQuery;

use super::Context;
use crate::{
    durations,
    top::{self, Colors},
};

const EXAMPLES: &str = "\
Examples:
  ffleet top                       the live view; ? explains the keys
  ffleet top --once                one look, as a line of JSON
  ffleet top --json --interval 5s  a look every 5 s, each a line of JSON
  ffleet top | jq .held            the same where standard output is no terminal

A line of JSON has the type `overview`, or `silence` while no coordinator answers.";

/// Watch and steer the fleet, live
///
/// Shows workers, running tasks with their progress, the queue and what has ended; cancels jobs, drains workers and
/// shows a job's output by key. Clients see their own jobs. Where standard output is no terminal, each look is printed as
/// a line of JSON instead.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Time between two looks, such as 2s or 1m
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = durations::parse)]
    interval: Duration,
    /// Print one look as a line of JSON, and end
    #[arg(long)]
    once: bool,
    /// Rows of each list, at most 500
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=500))]
    limit: u64,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    let Context { api, out, .. } = context;
    let query = OverviewQuery { limit: Some(args.limit) };
    if args.once || out.json() || !out.screen_out() || !stdin().is_terminal() {
        top::lines(api, out, &query, args.interval, args.once).await?;
        return Ok(0);
    }
    let title = format!("ffleet {} as {}", api.urls()[0], api.key_id());
    top::live(api, title, Colors(out.look().color), query, args.interval).await
}
