//! `ffleet job wait`

use std::time::Duration;

use ffleet_client::{Api, ApiError};
use ffleet_protocol::{id::JobId, job::Outcome, topic::Topic};
use tokio::time::Instant;

use super::{
    Context,
    crowd::{self, Which},
};
use crate::{durations, exit, ids, output::Output, show::Ended};

/// How long coordinators may be away before waiting is given up.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(2);

/// Wait until jobs have ended
///
/// Prints a line for each job when it has ended. The exit code is that of the job that was the first to end badly, or 0
/// when all of them ended well.
///
/// With --label it waits until no job with that label is left, prints a line for each that ended badly, and at last how
/// many ended how. Jobs that were retried have no say in that.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The jobs: their ids, the beginnings of them, or `last`
    #[arg(default_value = "last", conflicts_with = "label", value_name = "JOB")]
    jobs: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Give up, with exit code 125, after this time; the jobs go on
    #[arg(long, value_name = "DURATION", value_parser = durations::parse)]
    timeout: Option<Duration>,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: &Args) -> anyhow::Result<u8> {
    if args.which.label.is_some() {
        return crowd::wait(context, args.which.clone(), args.timeout).await;
    }
    let mut jobs = ids::resolve_all(&context.api, &args.jobs).await?;
    jobs.sort_unstable();
    jobs.dedup();
    let all = Waiting { api: &context.api, out: context.out, left: jobs, first_bad: 0, silent_since: None };
    match args.timeout {
        None => all.run().await,
        Some(limit) => match tokio::time::timeout(limit, all.run()).await {
            Ok(code) => code,
            Err(_) => Err(crowd::not_within(limit)),
        },
    }
}

struct Waiting<'a> {
    api: &'a Api,
    out: &'a Output,
    left: Vec<JobId>,
    first_bad: u8,
    silent_since: Option<Instant>,
}

impl Waiting<'_> {
    async fn run(mut self) -> anyhow::Result<u8> {
        let mut cursor: Option<String> = None;
        let mut news = self.left.clone();
        loop {
            match self.look(&news).await {
                Ok(()) => self.silent_since = None,
                Err(error) => self.tolerate(error).await?,
            }
            if self.left.is_empty() {
                return Ok(self.first_bad);
            }
            // More topics than one request can carry are looked at whenever the wait is over.
            let topics: Vec<Topic> = self.left.iter().take(100).copied().map(Topic::Job).collect();
            let asked = Instant::now();
            match self.api.watch(&topics, cursor.as_deref()).await {
                Ok(answer) => {
                    if cursor.is_some() && answer.topics.is_empty() && asked.elapsed() < PAUSE {
                        // A coordinator that leaves sends everybody away at once; it is not asked again in a hurry.
                        tokio::time::sleep(PAUSE).await;
                    }
                    // The first answer only says where we are: what happened before it is looked at once more.
                    let told = cursor.replace(answer.cursor).is_some() && !answer.topics.is_empty();
                    let named = |id: &JobId| answer.topics.contains(&Topic::Job(*id));
                    news = self.left.iter().copied().filter(|id| !told || named(id)).collect();
                }
                Err(error) => {
                    cursor = None;
                    news.clone_from(&self.left);
                    self.tolerate(error).await?;
                }
            }
        }
    }

    /// Looks whether these have ended, in the order of their ends.
    async fn look(&mut self, jobs: &[JobId]) -> Result<(), ApiError> {
        let mut ended = Vec::new();
        for id in jobs {
            let job = self.api.job(*id).await?.summary;
            if let Some(outcome) = job.outcome {
                ended.push((job.ended_at, job.id, outcome));
            }
        }
        ended.sort_by_key(|(at, id, _)| (*at, *id));
        for (_, id, outcome) in ended {
            self.left.retain(|left| *left != id);
            self.ended(id, &outcome);
        }
        Ok(())
    }

    fn ended(&mut self, id: JobId, outcome: &Outcome) {
        if self.first_bad == 0 {
            self.first_bad = exit::code(outcome);
        }
        // Whoever closed standard output still gets the exit code.
        let _ = self.out.show(&Ended { id, outcome });
    }

    async fn tolerate(&mut self, error: ApiError) -> Result<(), ApiError> {
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        if !error.is_passing() || since.elapsed() > PATIENCE {
            return Err(error);
        }
        self.out.note(&format!("asking again: {error}"));
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}
