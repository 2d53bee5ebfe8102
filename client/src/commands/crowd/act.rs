//! Doing one thing to each of many jobs.

use ffleet_client::ApiError;
use ffleet_protocol::{id::JobId, problem::Code};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::{commands::Context, exit, output::Text, screen::ProgressMode, show, tally::Tally};

/// Requests under way at the same time.
const AT_ONCE: usize = 16;
/// Refusals that are shown; the others are counted.
const SHOWN: usize = 5;

/// What a request came to, in a word.
pub struct Done<T> {
    /// The answer.
    pub answer: T,
    /// What is counted.
    pub word: &'static str,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    r#type: &'static str,
    done: &'a std::collections::BTreeMap<&'static str, usize>,
    refused: usize,
}

/// Does it, several at a time, and tells how many came to what. Jobs that refuse do not hold up the others; the exit code
/// tells of them.
pub async fn act<T: Serialize + Text>(
    context: &Context<'_>,
    what: &'static str,
    jobs: &[JobId],
    once: impl AsyncFn(JobId) -> Result<Done<T>, ApiError>,
) -> anyhow::Result<u8> {
    let out = context.out;
    let mut tally = Tally::new(out, ProgressMode::Auto, what, jobs.len());
    let mut done = std::collections::BTreeMap::new();
    let mut refused = 0;
    let mut answers = stream::iter(jobs).map(async |job| (*job, once(*job).await)).buffer_unordered(AT_ONCE);
    let mut finished = 0;
    while let Some((job, answer)) = answers.next().await {
        match answer {
            Ok(Done { answer, word }) => {
                *done.entry(word).or_default() += 1;
                if out.json() {
                    out.show(&answer)?;
                }
            }
            // About this job alone; the others may well do.
            Err(error) if [Code::TooLate, Code::NoSuchJob, Code::NotEnded].iter().any(|code| error.is(*code)) => {
                refused += 1;
                if refused <= SHOWN {
                    tally.note(&format!("{job}: {error}"));
                }
            }
            Err(error) => {
                drop(tally);
                let told = show::counted(done.iter().map(|(word, n)| (*word, *n)));
                let told = if told.is_empty() { "none".to_owned() } else { told };
                return Err(anyhow::Error::new(error)
                    .context(format!("stopped at {finished} of {} ({told}); the same command goes on", jobs.len())));
            }
        }
        finished += 1;
        tally.at(finished);
    }
    drop(tally);
    if out.json() {
        out.json_line(&Summary { r#type: "summary", done: &done, refused })?;
    } else {
        let refused = (refused > 0).then_some(("refused", refused));
        out.line(&show::counted(done.iter().map(|(word, n)| (*word, *n)).chain(refused)))?;
    }
    Ok(if refused > 0 { exit::OURS } else { 0 })
}
