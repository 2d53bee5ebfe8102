//! Job ids as people type them: whole, shortened to a unique beginning, or `last`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use ffleet_client::Api;
use ffleet_protocol::{
    id::JobId,
    job::{JobFilter, JobSummary},
};

/// What `last` and a unique beginning stand for.
pub async fn resolve(api: &Api, text: &str) -> anyhow::Result<JobId> {
    if text == "last" {
        return last(api).await;
    }
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let prefix = text.to_ascii_lowercase();
    if prefix.is_empty() || !prefix.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        bail!("{text:?} is not a job id; give one as `ffleet job list` shows it, its beginning, or `last`");
    }
    let filter = JobFilter { id_prefix: Some(prefix), limit: Some(5), ..JobFilter::default() };
    let page = api.jobs(&filter).await?;
    match page.jobs.as_slice() {
        [] => bail!("no job of yours has an id that begins with {text}; `ffleet job list` shows them"),
        [job] => Ok(job.id),
        several => bail!("several jobs have an id that begins with {text}; type more of it:{}", candidates(several)),
    }
}

/// All of them, in order.
pub async fn resolve_all(api: &Api, texts: &[String]) -> anyhow::Result<Vec<JobId>> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(resolve(api, text).await?);
    }
    Ok(ids)
}

fn candidates(jobs: &[JobSummary]) -> String {
    jobs.iter().map(|job| format!("\n  {}  {}  {}", job.id, job.status, crate::show::command_line(job))).collect()
}

async fn last(api: &Api) -> anyhow::Result<JobId> {
    if let Some(id) = remembered() {
        return Ok(id);
    }
    let page = api.jobs(&JobFilter { limit: Some(1), ..JobFilter::default() }).await?;
    page.jobs.first().map(|job| job.id).context("there is no last job: you have not submitted any")
}

fn remembered() -> Option<JobId> {
    std::fs::read_to_string(state_file()?).ok()?.trim().parse().ok()
}

/// Notes the job that `last` means from now on. Not being able to is no reason to fail a submit.
pub fn remember(id: JobId) {
    let Some(file) = state_file() else { return };
    let written = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        // Written beside and renamed, so that a second terminal never reads half an id.
        let fresh = file.with_extension(std::process::id().to_string());
        std::fs::write(&fresh, format!("{id}\n"))?;
        std::fs::rename(&fresh, &file)
    });
    if let Err(error) = written {
        tracing::debug!(%error, file = %file.display(), "the last job's id could not be noted");
    }
}

fn state_file() -> Option<PathBuf> {
    let dirs = directories::BaseDirs::new()?;
    let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
    Some(state.join("ffleet").join("last-job"))
}
