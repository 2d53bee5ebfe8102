//! `ffleet job retry`

use super::{
    Context,
    following::{Following, OnInterrupt, SignsOfLife, interrupts},
};
use crate::{ids, screen::ProgressMode};

/// Submit an ended job again, as a new job
///
/// Prints the id of the new job.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job: its id, the beginning of it, or `last`
    #[arg(default_value = "last")]
    job: String,
    /// Follow the new job, as `submit` does
    #[arg(long, short)]
    follow: bool,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    let Context { api, out, .. } = context;
    let job = ids::resolve(api, &args.job).await?;
    let key = uuid::Uuid::new_v4().to_string();
    let submitted = api.retry(job, Some(&key)).await?;
    ids::remember(submitted.id);
    out.show(&submitted)?;
    for warning in &submitted.warnings {
        out.note(&format!("warning: {warning}"));
    }
    if !args.follow {
        return Ok(0);
    }
    let mut signals = interrupts()?;
    let following = Following {
        api,
        out,
        job: submitted.id,
        after: None,
        progress: ProgressMode::Auto,
        signs_of_life: (api.job(submitted.id).await?.spec.monitor).then_some(SignsOfLife::Later),
        on_interrupt: OnInterrupt::Cancel,
    };
    Ok(following.run(&mut signals, false).await?.code())
}
