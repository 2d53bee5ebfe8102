//! `ffleet status`

use super::Context;

/// Show the whole fleet at a glance
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub async fn run(context: &Context<'_>, _: &Args) -> anyhow::Result<u8> {
    context.out.show(&context.api.status().await?)?;
    Ok(0)
}
