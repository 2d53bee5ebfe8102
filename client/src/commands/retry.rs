//! `ffleet job retry`

use ffleet_protocol::{id::JobId, state::JobStatus};

use super::{
    Context,
    crowd::{self, Done, Which, act, confirmed},
    following::{Following, OnInterrupt, SignsOfLife, interrupts},
};
use crate::{ids, screen::ProgressMode};

/// Submit an ended job again, as a new job
///
/// Prints the id of the new job. With --failed every failed job that was not retried yet, or those of them with a label:
/// it says how many there are and asks first. Asking for that twice retries nothing twice.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The job: its id, the beginning of it, or `last`
    #[arg(default_value = "last")]
    job: String,
    /// Follow the new job, as `submit` does
    #[arg(long, short)]
    follow: bool,
    /// All jobs that failed and that no other job repeats yet
    #[arg(long, conflicts_with_all = ["job", "follow"])]
    failed: bool,
    /// The same for jobs that were canceled
    #[arg(long, conflicts_with_all = ["job", "follow"])]
    canceled: bool,
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

const AFTER_HELP: &str = "\
Exit codes: 0 when everything was submitted, and when there was nothing; 125 when some jobs were refused, nobody agreed, \
or ffleet failed. With --follow as `submit`.

Examples:
  ffleet job retry last --follow
  ffleet job retry --failed
  ffleet job retry --failed --label show=pilot --yes";

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    if args.failed || args.canceled {
        return all(context, args).await;
    }
    if args.which.label.is_some() || args.yes {
        anyhow::bail!("say which jobs with a label are meant: --failed, --canceled or both");
    }
    let Context { api, out, .. } = context;
    let job = ids::resolve(api, &args.job).await?;
    let key = ffleet_protocol::id::unused();
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

async fn all(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    let wanted = [(args.failed, JobStatus::Failed), (args.canceled, JobStatus::Canceled)];
    let wanted = || wanted.iter().filter(|(wanted, _)| *wanted).map(|(_, status)| *status);
    let mut jobs: Vec<JobId> = Vec::new();
    args.which.find(&context.api, wanted(), |job| jobs.push(job.id)).await?;
    // They were asked for in this order.
    jobs.reverse();
    let words: Vec<&str> = wanted().map(JobStatus::as_str).collect();
    let (words, which) = (words.join(" or "), args.which.words());
    if jobs.is_empty() {
        context.out.note(&format!("there is no {words} job{which} that was not retried yet"));
        return Ok(0);
    }
    confirmed(args.yes, &format!("Submit {} ({words}){which} again?", crowd::jobs(jobs.len())))?;
    act(context, "submitting again", &jobs, async |job| {
        // Whoever asks at the same time, or again after a lost answer, is told of the same new job.
        let answer = context.api.retry(job, Some(&format!("retry-{job}"))).await?;
        Ok(Done { word: "submitted", answer })
    })
    .await
}
