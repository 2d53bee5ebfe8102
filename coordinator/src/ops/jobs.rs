//! Reading jobs.

use ffleet_protocol::{
    id::JobId,
    job::{JobFilter, JobPage, JobView, TaskView},
    problem::Code,
    state::JobStatus,
};

use super::{Caller, OpError, no_such_job};
use crate::{
    app::App,
    store::{
        convert::from_json,
        listing::{Page, ids_beginning},
    },
};

const PAGE: u64 = 50;

/// One page of a listing, the newest first.
pub async fn list(app: &App, who: &Caller, filter: JobFilter) -> Result<JobPage, OpError> {
    let page = page(who, &filter)?;
    let mut jobs = app.store.page(&Page { limit: page.limit + 1, ..page.clone() }).await?;
    let more = jobs.len() as u64 > page.limit;
    jobs.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    let next_cursor = if more { jobs.last().map(|job| job.id.to_string()) } else { None };
    Ok(JobPage { jobs, next_cursor })
}

fn page(who: &Caller, filter: &JobFilter) -> Result<Page, OpError> {
    let mut statuses = Vec::new();
    for word in filter.status.iter().flat_map(|words| words.split(',')) {
        let status = word.parse::<JobStatus>();
        statuses.push(status.map_err(|error| OpError::field(Code::BadField, "status", error.to_string()))?);
    }
    let label = filter.label.as_deref().map(|label| {
        label
            .split_once('=')
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| OpError::field(Code::BadField, "label", format!("expected key=value, found {label:?}")))
    });
    let before = filter.cursor.as_deref().map(|cursor| {
        cursor.parse::<JobId>().map_err(|_| {
            OpError::refused(Code::BadCursor, "this cursor was not given out here; leave it away to start anew")
        })
    });
    let between = filter.id_prefix.as_deref().map(|prefix| {
        ids_beginning(prefix).ok_or_else(|| {
            OpError::field(Code::BadField, "id_prefix", format!("expected hexadecimal digits, found {prefix:?}"))
        })
    });
    let limit = filter.limit.unwrap_or(PAGE);
    if !(1..=ffleet_protocol::limits::PAGE).contains(&limit) {
        let detail = format!("expected 1 to {}, found {limit}", ffleet_protocol::limits::PAGE);
        return Err(OpError::field(Code::BadField, "limit", detail));
    }
    let all = who.sees_all || who.role == ffleet_protocol::state::Role::Admin;
    Ok(Page {
        requester: if all { filter.requester.clone() } else { Some(who.account.clone()) },
        statuses,
        label: label.transpose()?,
        retried: filter.retried,
        since: filter.since,
        between: between.transpose()?,
        before: before.transpose()?,
        limit,
    })
}

/// Everything about a job.
pub async fn show(app: &App, who: &Caller, id: JobId) -> Result<JobView, OpError> {
    let seen = app.store.seen_job(id).await?.filter(|seen| who.sees(&seen.job.requester)).ok_or_else(no_such_job)?;
    let (spec, warnings) = app.store.spec(id).await?.ok_or_else(no_such_job)?;
    let mut attempts = app.store.attempts(id).await?;
    let mut tasks = Vec::with_capacity(seen.tasks.len());
    for this in &seen.tasks {
        let task = &this.task;
        let lease = task.state.lease();
        tasks.push(TaskView {
            id: task.id,
            name: this.row.name.clone(),
            status: task.state.status(),
            epoch: task.epoch,
            not_before: crate::store::convert::moment_opt(this.row.not_before)?,
            worker: lease.map(|lease| lease.holder.worker.clone()),
            lease_until: lease.map(|lease| lease.until),
            failures: task.counters.failures,
            crashes: task.counters.crashes,
            rejections: task.counters.rejections,
            progress: this.output.progress.as_deref().map(|text| from_json(task.id, text)).transpose()?,
            outcome: task.state.outcome(),
            attempts: attempts.remove(&task.id).unwrap_or_default(),
        });
    }
    let summary = app.store.summaries(vec![seen.job.clone()]).await?.pop().ok_or_else(no_such_job)?;
    Ok(JobView { summary, spec, retry_of: seen.job.retry_of, tasks, warnings })
}
