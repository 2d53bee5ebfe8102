//! `ffleet job logs`

use ffleet_protocol::log::Cursor;
use futures_util::StreamExt;

use super::{
    Context,
    following::{Following, OnInterrupt, interrupts},
};
use crate::{
    ids,
    screen::{ProgressMode, Screen},
};

/// Print the output of a job
///
/// What the program wrote to standard output and standard error comes out on the same two streams.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job: its id, the beginning of it, or `last`
    #[arg(default_value = "last")]
    job: String,
    /// Go on until the job has ended; Ctrl-C ends the watching, not the job
    #[arg(long, short)]
    follow: bool,
    /// Begin after this cursor, from a `cursor` line of --json
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// Whether to show progress
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    progress: ProgressMode,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: Args) -> anyhow::Result<u8> {
    let Context { api, out, .. } = context;
    let job = ids::resolve(api, &args.job).await?;
    if args.follow {
        let mut signals = interrupts()?;
        let following = Following {
            api,
            out,
            job,
            after: args.after,
            progress: args.progress,
            signs_of_life: None,
            on_interrupt: OnInterrupt::Leave,
        };
        following.run(&mut signals, false).await?;
        return Ok(0);
    }
    let mut screen = Screen::new(out, ProgressMode::Never);
    let mut records = api.logs(job, args.after.as_ref(), false).await?;
    while let Some(record) = records.next().await {
        screen.record(&record?)?;
    }
    Ok(0)
}
