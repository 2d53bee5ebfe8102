//! A worker appends output.

use ffleet_nudges::Nudge;
use ffleet_protocol::{
    id::TaskId,
    log::{Data, LogAnswer, LogBatch, Progress, Record},
    problem::Code,
    state::Stream,
};

use super::{
    Caller, OpError,
    error::Refused,
    no_such_task, prune,
    transition::{refused, refused_to},
    workers::speaks_for,
};
use crate::{
    app::App,
    domain::{Event, Quote, Refusal, Takes},
    store::{
        StoreError,
        commit::{Commit, Guard},
        logs::{Appended, append as chunks, size},
        tasks::{SeenJob, SeenTask, transition},
    },
};

/// The last number that every reader of JSON can hold exactly (RFC 8259, section 6).
const LAST_SEQ: u64 = (1 << 53) - 1;

/// Looks at the task, and races that were lost.
const TRIES: u32 = 64;

/// Takes a batch. What was taken before is skipped; what begins after a gap is refused with the number to go on from.
pub async fn append(app: &App, who: &Caller, id: TaskId, batch: LogBatch) -> Result<LogAnswer, OpError> {
    speaks_for(app, who, &batch.worker).await?;
    check(&batch.records)?;
    let quote = Quote { epoch: batch.epoch, token: batch.token, worker: batch.worker.clone() };
    let mut remembered = app.store.remembered(id).await?;
    for _ in 0..TRIES {
        let (mut seen, sure) = match remembered.take() {
            Some(seen) => (seen, false),
            None => (app.store.seen_job_of(id).await?.ok_or_else(no_such_task)?, true),
        };
        let now = seen.now;
        let task = seen.task(id).ok_or_else(no_such_task)?;
        let takes = match task.task.takes_output(&quote) {
            Ok(takes) => takes,
            Err(_) if !sure => continue,
            // Repeated after the end: everything was taken, or the end would not have been.
            Err(Refusal::AlreadyRecorded) => return Ok(LogAnswer { next_seq: task.task.next_seq }),
            Err(refusal) => return Err(refused_to(app, &batch.worker, &refusal, &seen, id).await?),
        };
        let next_seq = task.task.next_seq;
        let fresh = match fresh(&batch.records, next_seq) {
            Err(_) if !sure => continue,
            fresh => fresh?,
        };
        // A batch that was taken before has nothing to say about progress either: newer reports may have followed it.
        let told = batch.records.is_empty() || !fresh.is_empty();
        let progress = batch.progress.clone().filter(|_| told);
        if fresh.is_empty() && progress.is_none() && takes == Takes::Now {
            if !sure {
                continue;
            }
            return Ok(LogAnswer { next_seq });
        }
        if takes == Takes::OnceResumed {
            let commit = match resumed(app, who, &seen, task, &quote) {
                Err(_) if !sure => continue,
                commit => commit?,
            };
            match app.store.commit(commit).await {
                Ok(()) | Err(StoreError::Conflict(_)) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        let new = match appended(app, task, &batch, fresh, progress) {
            Err(_) if !sure => continue,
            new => new?,
        };
        let (mut commit, output) = chunks(id, &task.output, fresh, &new, now);
        commit.guards.push(Guard::Held(id, batch.epoch, batch.token));
        let kept_bytes = task.output.kept_bytes;
        match app.store.commit(commit).await {
            Ok(()) => {
                app.ring(&Nudge::Job(seen.job.requester.clone(), seen.job.id));
                if let Some(task) = seen.tasks.iter_mut().find(|task| task.task.id == id) {
                    *task = SeenTask::of(task.row.clone(), output)?;
                }
                app.store.remember(seen);
                prune::if_needed(app, id, kept_bytes).await?;
                return Ok(LogAnswer { next_seq: new.next_seq });
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OpError::Unavailable("this task keeps changing; send the batch again".to_owned()))
}

/// The lease had lapsed, and nobody has claimed the task since: it goes on, and then the output is taken.
fn resumed(app: &App, who: &Caller, seen: &SeenJob, task: &SeenTask, quote: &Quote) -> Result<Commit, OpError> {
    let event = Event::Renewed { quote: quote.clone() };
    match task.task.on(&event, seen.now, &app.policy(&seen.job.policy)) {
        Ok(next) => Ok(transition(seen, task, &next, &who.actor(), app.retention(), app.store.writers())?.0),
        Err(refusal) => Err(refused(&refusal, seen, task.task.id)),
    }
}

/// The records that were not taken before.
fn fresh(records: &[Record], next_seq: u64) -> Result<&[Record], OpError> {
    let from = records.partition_point(|record| record.last_seq() < next_seq);
    let fresh = &records[from..];
    match fresh.first() {
        Some(first) if first.seq != next_seq => Err(OpError::Refused(Box::new(Refused {
            code: Code::LogGap,
            detail: format!("this batch begins with record {}, expected {next_seq}", first.seq),
            errors: Vec::new(),
            next_seq: Some(next_seq),
            state: None,
            outcome: None,
        }))),
        Some(_) | None => Ok(fresh),
    }
}

fn check(records: &[Record]) -> Result<(), OpError> {
    let bad = |index: usize, detail: String| OpError::field(Code::BadField, &format!("records[{index}]"), detail);
    let mut next = records.first().map_or(1, |first| first.seq);
    for (index, record) in records.iter().enumerate() {
        if record.seq != next || record.last_seq() < record.seq || record.seq == 0 {
            return Err(bad(index, format!("expected number {next}, found {} to {}", record.seq, record.last_seq())));
        }
        if record.last_seq() > LAST_SEQ {
            return Err(bad(index, format!("record numbers end at {LAST_SEQ}")));
        }
        if matches!(record.data, Data::B64(_)) && record.data.bytes().is_none() {
            return Err(bad(index, "this is not base64".to_owned()));
        }
        next = record.last_seq() + 1;
    }
    Ok(())
}

fn appended(
    app: &App,
    task: &SeenTask,
    batch: &LogBatch,
    fresh: &[Record],
    progress: Option<Progress>,
) -> Result<Appended, OpError> {
    let stdout = |record: &&Record| record.stream == Stream::Stdout;
    let before = u64::try_from(task.output.stdout_bytes).unwrap_or(0);
    let stdout_bytes = before + fresh.iter().filter(stdout).map(size).sum::<u64>();
    let max = app.config.limits.stdout_max_bytes;
    if stdout_bytes > max && before < stdout_bytes {
        let detail = format!("an attempt may deliver {max} bytes of standard output; declare the rest as dropped");
        return Err(OpError::field(Code::TooLarge, "records", detail));
    }
    let stdout_lost = fresh.iter().filter(stdout).any(|record| matches!(record.data, Data::Dropped(_)));
    Ok(Appended {
        epoch: batch.epoch,
        next_seq: fresh.last().map_or(task.task.next_seq, |last| last.last_seq() + 1),
        stdout_bytes,
        stdout_lost,
        progress,
    })
}
