//! `ffleet job cancel`

use ffleet_protocol::{id::JobId, state::JobStatus};

use super::{
    Context,
    crowd::{Done, Which, act, confirmed, live},
};
use crate::ids;

/// Cancel jobs
///
/// A running program is stopped by its worker; `ffleet job wait` waits for that. With --label all jobs with that label
/// that have not ended: it says how many there are and asks first.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The jobs: their ids, the beginnings of them, or `last`
    #[arg(required_unless_present = "label", conflicts_with = "label", value_name = "JOB")]
    jobs: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(long, requires = "label")]
    yes: bool,
}

const AFTER_HELP: &str = "\
Exit codes: 0 when all are canceled or about to be, or had ended already; 125 when some could not be canceled, nobody \
agreed, or ffleet failed.

Examples:
  ffleet job cancel last
  ffleet job cancel --label show=pilot
  ffleet job cancel --label show=pilot --yes --json";

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    if args.which.label.is_none() {
        for job in ids::resolve_all(&context.api, &args.jobs).await? {
            context.out.show(&context.api.cancel(job).await?)?;
        }
        return Ok(0);
    }
    let mut jobs: Vec<JobId> = Vec::new();
    let waiting = live().filter(|status| *status != JobStatus::Canceling);
    args.which.find(&context.api, waiting, |job| jobs.push(job.id)).await?;
    let which = args.which.words();
    if jobs.is_empty() {
        context.out.note(&format!("there is no job{which} that could be canceled"));
        return Ok(0);
    }
    confirmed(args.yes, &format!("Cancel {}{which}?", super::crowd::jobs(jobs.len())))?;
    act(context, "canceling", &jobs, async |job| {
        let answer = context.api.cancel(job).await?;
        Ok(Done { word: answer.status.as_str(), answer })
    })
    .await
}
