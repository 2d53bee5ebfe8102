//! Those who want work done: each submits one job, follows it to its end, perhaps cancels it, and writes down what it saw.

use std::time::Duration;

use ffleet_client::{ApiError, Follower};
use ffleet_protocol::{id::JobId, log::FollowRecord, state::Stream};
use ffleet_protocol::{log::Record, state::JobStatus};

use super::{
    script::Submit,
    stage::Stage,
    witness::{Tape, Told},
};
use crate::{Cli, Ran};

/// How long a follower goes on asking when nobody answers. Coordinators are never gone for so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Submits a job and sees it to its end.
pub(super) async fn client(stage: &Stage, submit: Submit) {
    let told = Told { submit, id: None, outcome: None, code: None, tape: Tape::default() };
    let told = if told.submit.by_program { by_program(stage, told).await } else { by_library(stage, told).await };
    stage.witness.seen().jobs.insert(told.submit.number, told);
}

async fn by_program(stage: &Stage, mut told: Told) -> Told {
    let Submit { number, line, work, .. } = told.submit;
    let media = stage.fleet.media();
    let args = work.command_line(number, media.to_str().expect("made from text"));
    // Under no path variable, so that the encoder gets a directory with the name of its attempt.
    let command: Cli<'_> = stage.fleet.ffleet(args).cwd(stage.fleet.dir()).via(&stage.client_line(line));
    let process = command.start();
    process.end().await;
    let Ran { code, stdout, stderr } = Ran::of(&process).await;
    told.code = Some(code);
    told.tape.stdout.1 = stdout;
    // Its first word is the job's id.
    told.id = stderr.split_whitespace().find_map(|word| word.parse().ok());
    if told.id.is_none() {
        stage.witness.failure(format!("job number {number}"), format!("`ffleet submit` ended with {code}: {stderr}"));
    }
    told
}

async fn by_library(stage: &Stage, mut told: Told) -> Told {
    let Submit { number, line, work, .. } = told.submit;
    let api = stage.client(line);
    let place = format!("job number {number}");
    match api.submit(&work.spec(number), &format!("chaos-{number}")).await {
        Ok(submitted) => told.id = Some(submitted.id),
        Err(error) => stage.witness.failure(&place, format!("its submit failed: {error}")),
    }
    let Some(id) = told.id else { return told };
    let mut canceled = work.canceled().is_none();
    let mut follower = Follower::patient(api.clone(), id, None, PATIENCE);
    loop {
        let record = match follower.next().await {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => {
                stage.witness.failure(format!("job {id}"), format!("following it failed: {error}"));
                break;
            }
        };
        let runs = matches!(record, FollowRecord::Status { status: JobStatus::Running, .. });
        let begun = matches!(record, FollowRecord::Attempt { .. });
        if !canceled && ((work.canceled() == Some(true) && runs) || (work.canceled() == Some(false) && begun)) {
            canceled = true;
            cancel(stage, &api, id).await;
        }
        match record {
            FollowRecord::Output { task, epoch, record } => told.tape.take((task, epoch), &record, work.reruns()),
            FollowRecord::Outcome { outcome, .. } => told.outcome = Some(outcome),
            _ => {}
        }
    }
    if told.outcome.is_none() {
        stage.witness.failure(format!("job {id}"), "the stream ended without an outcome");
    }
    told
}

async fn cancel(stage: &Stage, api: &ffleet_client::Api, id: JobId) {
    match api.cancel(id).await {
        Ok(_) => {}
        // It has ended by itself.
        Err(ApiError::Problem(problem)) if problem.status == 409 => stage.witness.seen().cancels_refused += 1,
        Err(error) => stage.witness.failure(format!("job {id}"), format!("its cancel failed: {error}")),
    }
}

impl Tape {
    /// Takes a record as it is shown.
    fn take(&mut self, attempt: (ffleet_protocol::id::TaskId, u32), record: &Record, held_back: bool) {
        let epoch = attempt.1;
        let seen = self.records.entry(attempt).or_default();
        let next = seen.last().map_or(1, |last| last + 1);
        // Standard output that is held back comes when its attempt has ended well, after higher numbers.
        if record.seq != next && !held_back {
            self.wrong.push(format!("epoch {epoch}: record {} came when {next} was due", record.seq));
        }
        for seq in record.seq..=record.last_seq() {
            if !seen.insert(seq) {
                self.wrong.push(format!("epoch {epoch}: record {seq} came again"));
            }
        }
        if record.stream == Stream::Stdout {
            if self.stdout.0 != epoch {
                self.stdout = (epoch, Vec::new());
            }
            self.stdout.1.extend(record.data.bytes().unwrap_or_default());
        }
    }
}
