//! `ffleet job list`

use ffleet_protocol::{id::AccountId, job::JobFilter, limits, state::JobStatus};
use jiff::Timestamp;

use super::Context;
use crate::{durations, show};

/// List jobs, the newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only jobs with this status: pending, assigned, running, canceling, completed, failed or canceled; may be repeated
    #[arg(long, value_name = "STATUS")]
    status: Vec<JobStatus>,
    /// Only jobs of this account (for admins)
    #[arg(long, value_name = "ACCOUNT")]
    requester: Option<AccountId>,
    /// Only jobs with this label
    #[arg(long, value_name = "KEY=VALUE")]
    label: Option<String>,
    /// Only jobs made since a moment (2026-11-20T08:00:00Z) or within a duration (2h)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u64,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: Args) -> anyhow::Result<u8> {
    let since = args.since.as_deref().map(|text| durations::parse_since(text, Timestamp::now()));
    let since = since.transpose().map_err(|why| anyhow::anyhow!("--since: {why}"))?;
    let status: Vec<&str> = args.status.iter().map(|status| status.as_str()).collect();
    let mut left = if args.all { u64::MAX } else { args.limit };
    let mut filter = JobFilter {
        status: (!status.is_empty()).then(|| status.join(",")),
        requester: args.requester,
        label: args.label,
        retried: None,
        since,
        id_prefix: None,
        cursor: None,
        limit: None,
    };
    let mut jobs = Vec::new();
    while left > 0 {
        filter.limit = Some(left.min(limits::PAGE));
        let page = context.api.jobs(&filter).await?;
        left = left.saturating_sub(page.jobs.len() as u64);
        jobs.extend(page.jobs);
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    context.out.show_all(&jobs, show::jobs)?;
    Ok(0)
}
