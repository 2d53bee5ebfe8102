//! Waiting for the end of all jobs with a label.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::bail;
use ffleet_client::ApiError;
use ffleet_protocol::{
    id::JobId,
    job::{JobSummary, Outcome},
    state::JobStatus,
    topic::Topic,
};
use serde::Serialize;

use super::{Which, live};
use crate::{
    commands::Context,
    durations, exit,
    screen::ProgressMode,
    show::{self, Ended},
    tally::Tally,
};

/// How long coordinators may be away before waiting is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks lies at least so many times what a look takes: a hundred pages are not read without end …
const REST: u32 = 20;
/// … and at least and at most this long.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Topics of one request.
const TOPICS: usize = 100;

/// The last line of `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    r#type: &'static str,
    ended: &'a BTreeMap<&'static str, usize>,
}

/// Waits until none of them is left, then says how they ended: those that ended badly one by one.
pub async fn wait(context: &Context<'_>, which: Which, limit: Option<Duration>) -> anyhow::Result<u8> {
    let ended = none_left(context, &which);
    match limit {
        None => ended.await?,
        Some(limit) => match tokio::time::timeout(limit, ended).await {
            Ok(ended) => ended?,
            Err(_) => return Err(not_within(limit)),
        },
    }
    verdict(context, &which).await
}

async fn none_left(context: &Context<'_>, which: &Which) -> anyhow::Result<()> {
    let Context { api, out, .. } = context;
    let mut tally: Option<(usize, Tally<'_>)> = None;
    let mut cursor: Option<String> = None;
    let mut silent_since: Option<Instant> = None;
    loop {
        let asked = Instant::now();
        let mut left: Vec<JobId> = Vec::new();
        let looked = which.find(api, live(), |job| left.push(job.id)).await;
        if let Err(error) = looked {
            tolerate(context, &mut silent_since, error).await?;
            continue;
        }
        silent_since = None;
        if left.is_empty() {
            return Ok(());
        }
        let pause = (asked.elapsed() * REST).clamp(PAUSE.0, PAUSE.1);
        // More may come while we wait; then the count begins at what is left now.
        let (total, tally) = match &mut tally {
            Some((total, shown)) if left.len() <= *total => (*total, shown),
            other => {
                let new = Tally::new(out, ProgressMode::Auto, "ended", left.len());
                let (total, shown) = other.insert((left.len(), new));
                (*total, shown)
            }
        };
        tally.at(total - left.len());
        // The oldest ones come first, and a look is worth while when one of them has moved.
        let oldest: Vec<Topic> = left.iter().rev().take(TOPICS).copied().map(Topic::Job).collect();
        let rest = tokio::time::sleep(pause);
        match api.watch(&oldest, cursor.as_deref()).await {
            Ok(answer) => {
                // The first answer only says where we are.
                let knew = cursor.replace(answer.cursor).is_some();
                if knew {
                    rest.await;
                }
            }
            Err(error) => {
                cursor = None;
                tolerate(context, &mut silent_since, error).await?;
            }
        }
    }
}

async fn tolerate(context: &Context<'_>, since: &mut Option<Instant>, error: ApiError) -> Result<(), ApiError> {
    let began = *since.get_or_insert_with(Instant::now);
    if !error.is_passing() || began.elapsed() > PATIENCE {
        return Err(error);
    }
    context.out.note(&format!("asking again: {error}"));
    tokio::time::sleep(PAUSE.0).await;
    Ok(())
}

/// How they ended. Those that another job repeats have no say.
async fn verdict(context: &Context<'_>, which: &Which) -> anyhow::Result<u8> {
    let out = context.out;
    let mut ended: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut bad: Vec<(Option<jiff::Timestamp>, JobId, Outcome)> = Vec::new();
    let all = JobStatus::ALL.iter().copied().filter(|status| status.is_terminal());
    let each = |job: JobSummary| {
        *ended.entry(job.status.as_str()).or_default() += 1;
        if let Some(outcome) = job.outcome.filter(|outcome| outcome.status != JobStatus::Completed) {
            bad.push((job.ended_at, job.id, outcome));
        }
    };
    which.find(&context.api, all, each).await?;
    if ended.is_empty() {
        bail!("there is no job{}; `ffleet job list` shows those there are", which.words());
    }
    bad.sort_by_key(|(at, id, _)| (*at, *id));
    for (_, id, outcome) in &bad {
        out.show(&Ended { id: *id, outcome })?;
    }
    if out.json() {
        out.json_line(&Summary { r#type: "summary", ended: &ended })?;
    } else {
        out.line(&show::counted(ended.iter().map(|(status, n)| (*status, *n))))?;
    }
    Ok(bad.first().map_or(0, |(_, _, outcome)| exit::code(outcome)))
}

/// Said when the time is over.
#[must_use]
pub fn not_within(limit: Duration) -> anyhow::Error {
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    anyhow::anyhow!("not all of the jobs have ended within {}", durations::human(seconds))
}
