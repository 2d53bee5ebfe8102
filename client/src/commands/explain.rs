//! `ffleet job explain`

use super::Context;
use crate::ids;

/// Say why a job does not run yet
///
/// For each worker the first reason why it does not take the job.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job: its id, the beginning of it, or `last`
    #[arg(default_value = "last")]
    job: String,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    let job = ids::resolve(&context.api, &args.job).await?;
    context.out.show(&context.api.explain(job).await?)?;
    Ok(0)
}
