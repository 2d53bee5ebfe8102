//! One look at the fleet, for live views that look again every second.

use std::collections::{BTreeMap, HashMap};

use ffleet_protocol::{
    id::{JobId, WorkerId},
    overview::{EndedJob, JobBrief, Overview, OverviewQuery, RunningTask, Tally, WaitingTask, WorkerBrief},
    problem::Code,
    task::Command,
};

use super::{Caller, OpError};
use crate::{
    app::App,
    store::{jobs::JobRow, overview::Head},
};

/// Rows of a list unless said otherwise, and at most.
const ROWS: u64 = 50;
const MOST_ROWS: u64 = 500;
/// Waiting tasks are counted so far; who waits behind so many does not care for the last digit.
const COUNTED: u64 = 10_000;
/// Bytes of a command that are shown. One argument alone may have 128 KiB.
const COMMAND: usize = 400;

/// What runs, what waits and what has ended, as far as the caller may see it. Every list is cut, so that a look costs the
/// same whatever has piled up.
pub async fn overview(app: &App, who: &Caller, query: &OverviewQuery) -> Result<Overview, OpError> {
    let limit = query.limit.unwrap_or(ROWS);
    if !(1..=MOST_ROWS).contains(&limit) {
        return Err(OpError::field(Code::BadField, "limit", format!("expected 1 to {MOST_ROWS}, found {limit}")));
    }
    let store = &app.store;
    let only = who.only();
    let at = store.now().await?;
    let mut running = store.held().await?;
    let workers = workers(app, &running).await?;
    running.retain(|head| only.is_none_or(|account| head.requester == *account));
    let held = running.len() as u64;
    running.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let waiting = store.count_waiting(only, COUNTED, held).await?;
    let next = store.waiting(only, limit, held).await?;
    let ended = store.ended(only, limit).await?;

    let tasks: Vec<_> = running.iter().map(|head| head.task).collect();
    let mut progress = store.progress(&tasks).await?;
    let claimed_at = store.claimed_at(&tasks).await?;
    let jobs = running.iter().chain(&next).map(|head| head.job).chain(ended.iter().map(|job| job.id));
    let commands = store.commands(&jobs.collect::<Vec<_>>()).await?;
    Ok(Overview {
        at,
        workers,
        held,
        running: running
            .into_iter()
            .filter_map(|head| {
                Some(RunningTask {
                    brief: brief(&head, &commands)?,
                    task: head.task,
                    status: head.status,
                    // It may have been given back between two reads.
                    worker: head.worker?,
                    epoch: head.epoch,
                    claimed_at: *claimed_at.get(&(head.task, head.epoch))?,
                    progress: progress.remove(&head.task),
                })
            })
            .collect(),
        waiting: Tally { count: waiting.min(COUNTED), more: waiting > COUNTED },
        next: next
            .into_iter()
            .filter_map(|head| {
                Some(WaitingTask {
                    brief: brief(&head, &commands)?,
                    task: head.task,
                    status: head.status,
                    not_before: head.not_before,
                    epoch: head.epoch,
                })
            })
            .collect(),
        ended: ended.into_iter().filter_map(|job| end(job, &commands)).collect(),
    })
}

/// Every worker with the number of tasks it holds.
async fn workers(app: &App, held: &[Head]) -> Result<Vec<WorkerBrief>, OpError> {
    let mut busy: BTreeMap<&WorkerId, u32> = BTreeMap::new();
    for worker in held.iter().filter_map(|head| head.worker.as_ref()) {
        *busy.entry(worker).or_default() += 1;
    }
    let workers = app.store.workers().await?;
    let brief = workers.into_iter().map(|worker| WorkerBrief {
        busy: busy.get(&worker.id).copied().unwrap_or(0),
        id: worker.id,
        state: worker.standing.state,
        slots: worker.capabilities.slots,
        seen_at: worker.seen_at,
    });
    Ok(brief.collect())
}

/// Nothing when retention has taken the job between two reads.
fn brief(head: &Head, commands: &HashMap<JobId, Command>) -> Option<JobBrief> {
    Some(JobBrief {
        job: head.job,
        requester: head.requester.clone(),
        priority: head.priority,
        command: line(commands.get(&head.job)?),
        created_at: head.created_at,
    })
}

fn end(job: JobRow, commands: &HashMap<JobId, Command>) -> Option<EndedJob> {
    Some(EndedJob {
        brief: JobBrief {
            job: job.id,
            requester: job.requester,
            priority: job.priority,
            command: line(commands.get(&job.id)?),
            created_at: job.created_at,
        },
        status: job.status,
        started_at: job.started_at,
        ended_at: job.ended_at?,
        outcome: job.outcome?,
    })
}

/// Program and arguments in one line, for people. It is not meant to be typed: what is long is cut.
fn line(command: &Command) -> String {
    let mut line = command.program.clone();
    for arg in &command.args {
        if line.len() > COMMAND {
            break;
        }
        let arg = arg.lossy();
        line.push(' ');
        if arg.is_empty() || arg.contains(char::is_whitespace) {
            line.extend(["'", &arg, "'"]);
        } else {
            line.push_str(&arg);
        }
    }
    if line.len() > COMMAND {
        line.truncate(line.floor_char_boundary(COMMAND));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_cut_between_letters() {
        let command = |args: &[&str]| Command {
            program: "ffmpeg".to_owned(),
            args: args.iter().map(|arg| (*arg).into()).collect(),
            cwd: None,
        };
        assert_eq!(line(&command(&["-i", "$Media/a b.mkv", ""])), "ffmpeg -i '$Media/a b.mkv' ''");
        let long = line(&command(&["é".repeat(100_000).as_str(), "more"]));
        assert!(long.ends_with('…') && long.len() <= COMMAND + '…'.len_utf8(), "{} bytes", long.len());
    }
}
