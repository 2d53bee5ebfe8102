//! `ffleet job attach`

use super::{
    Context,
    following::{Following, OnInterrupt, SignsOfLife, interrupts},
};
use crate::{ids, screen::ProgressMode};

/// Follow a job as if it had been submitted here
///
/// All its output from the beginning, its exit code, and Ctrl-C cancels it. A monitored job is taken over: from now on it
/// lives as long as this program. To look without touching, use `ffleet job logs -f`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job: its id, the beginning of it, or `last`
    #[arg(default_value = "last")]
    job: String,
    /// Whether to show progress
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    progress: ProgressMode,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    let job = ids::resolve(&context.api, &args.job).await?;
    let view = context.api.job(job).await?;
    let mut signals = interrupts()?;
    let following = Following {
        api: &context.api,
        out: context.out,
        job,
        after: None,
        progress: args.progress,
        signs_of_life: (view.spec.monitor && !view.summary.status.is_terminal()).then_some(SignsOfLife::Now),
        on_interrupt: OnInterrupt::Cancel,
    };
    Ok(following.run(&mut signals, false).await?.code())
}
