//! `ffleet job cancel`

use super::Context;
use crate::ids;

/// Cancel jobs
///
/// A running program is stopped by its worker; `ffleet job wait` waits for that.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The jobs: their ids, the beginnings of them, or `last`
    #[arg(required = true, value_name = "JOB")]
    jobs: Vec<String>,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    for job in ids::resolve_all(&context.api, &args.jobs).await? {
        context.out.show(&context.api.cancel(job).await?)?;
    }
    Ok(0)
}
