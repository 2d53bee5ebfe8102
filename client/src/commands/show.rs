//! `ffleet job show`

use super::Context;
use crate::ids;

/// Show everything about a job
///
/// Its command, where it stands, and every attempt.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job: its id, the beginning of it, or `last`
    #[arg(default_value = "last")]
    job: String,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    let job = ids::resolve(&context.api, &args.job).await?;
    context.out.show(&context.api.job(job).await?)?;
    Ok(0)
}
