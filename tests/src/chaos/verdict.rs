//! What everybody saw, held against the history in the database.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use ffleet_protocol::id::{JobId, TaskId};
use uuid::Uuid;

use super::{
    diary,
    stage::{Log, Stage},
    witness::{Seen, Told},
    work::Ends,
};
use crate::checker::{History, Invariant, Job, Task, Violation, check_ended};

/// Lapses after which a task is poison, as configured by default.
const CRASH_LIMIT: usize = 3;

/// Everything that the report counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What must not be.
    pub(super) violations: Vec<Violation>,
    /// Jobs in the database.
    pub(super) jobs: usize,
    /// Acknowledged jobs that are not there or have not ended.
    pub(super) lost: usize,
    /// Things that were done once too often.
    pub(super) doubled: usize,
    /// Attempts of all tasks.
    pub(super) attempts: usize,
    /// Leases that lapsed.
    pub(super) lapses: usize,
    /// Lapsed leases that went on.
    pub(super) resumed: usize,
    /// Records of output that were read by somebody.
    pub(super) records: usize,
}

/// Judges a run that is over, all of whose processes have ended.
pub(super) fn judge(stage: &Stage, history: &History, seen: &Seen) -> Verdict {
    let mut verdict = Verdict { violations: check_ended(history), jobs: history.jobs.len(), ..Verdict::default() };
    let what = |what: &str| history.events.iter().filter(|event| event.what == what).count();
    verdict.attempts = history.attempts.len();
    verdict.lapses = what("lease_lapsed");
    verdict.resumed = what("resumed");
    verdict.acknowledged(history, seen);
    verdict.made_once(history, seen);
    for told in seen.jobs.values() {
        verdict.told(stage, history, told);
    }
    let stops: Vec<_> = seen.stops.iter().map(|(worker, from, until)| (worker.to_string(), *from, *until)).collect();
    verdict.violations.extend(diary::check(&stage.fleet.media().join("chaos/diary"), history, &stops));
    verdict.felt(stage, seen);
    verdict.left_behind(stage);
    verdict
}

impl Verdict {
    fn bad(&mut self, invariant: Invariant, place: impl std::fmt::Display, what: impl Into<String>) {
        self.violations.push(Violation::new(invariant, place, what));
    }

    /// I1: what was acknowledged is there and has ended.
    fn acknowledged(&mut self, history: &History, seen: &Seen) {
        let by_clients = seen.jobs.values().filter_map(|told| told.id);
        let all: BTreeSet<JobId> = by_clients.chain(seen.extra.iter().copied()).collect();
        for id in all {
            match history.job(id.0) {
                None => {
                    self.lost += 1;
                    self.bad(Invariant::I1, format!("job {id}"), "it was acknowledged and is not there");
                }
                // The checker has told it already.
                Some(job) if job.outcome.is_none() => self.lost += 1,
                Some(_) => {}
            }
        }
    }

    /// I5: a submit makes one job, however often it arrived, and asking for another one makes one more.
    fn made_once(&mut self, history: &History, seen: &Seen) {
        let labels = seen.jobs.keys().map(ToString::to_string).chain(seen.labels.iter().cloned());
        for label in labels {
            let jobs = history.labelled(&format!("chaos={label}"));
            let made = jobs.into_iter().filter(|job| job.retry_of.is_none()).count();
            if made > 1 {
                self.doubled += made - 1;
                self.bad(Invariant::I5, format!("submit {label}"), format!("it made {made} jobs"));
            }
        }
        let mut repeated: BTreeMap<Uuid, usize> = BTreeMap::new();
        for job in history.jobs.iter().filter_map(|job| job.retry_of) {
            *repeated.entry(job).or_default() += 1;
        }
        for (job, made) in repeated {
            let asked = seen.retries.get(&JobId(job)).copied().unwrap_or_default();
            if made > asked {
                self.doubled += made - asked;
                self.bad(
                    Invariant::I5,
                    format!("job {job}"),
                    format!("it was done again {made} times, asked for {asked}"),
                );
            }
        }
        let winners = |violation: &&Violation| violation.invariant == Invariant::I2;
        self.doubled += self.violations.iter().filter(winners).count();
    }

    /// What the client of a job was told is what is recorded.
    fn told(&mut self, stage: &Stage, history: &History, told: &Told) {
        let Some(id) = told.id else { return };
        let Some(job) = history.job(id.0) else { return };
        let place = format!("job {id} (number {}, {:?})", told.submit.number, told.submit.work);
        if let Some(outcome) = &told.outcome
            && outcome.status.as_str() != job.status
        {
            self.bad(Invariant::I1, &place, format!("its follower saw it {}, it is {}", outcome.status, job.status));
        }
        if let Some(code) = told.code
            && (code == 0) != (job.status == "completed")
        {
            self.bad(Invariant::I10, &place, format!("`ffleet` ended with {code}, and it is {}", job.status));
        }
        self.ends_as_it_must(history, told, job, &place);
        self.output(history, told, job, &place);
        self.signature(stage, history, told, job, &place);
    }

    /// I10: a job fails for what it does, not for what befell the fleet, unless that is documented.
    fn ends_as_it_must(&mut self, history: &History, told: &Told, job: &Job, place: &str) {
        let failure = job.failure.as_deref();
        let fits = match told.submit.work.ends() {
            Ends::As(status, class) => job.status == status && failure == class,
            Ends::EitherWay => ["completed", "canceled"].contains(&job.status.as_str()),
        };
        let tasks: Vec<_> = history.tasks.iter().filter(|task| task.job == job.id).map(|task| task.id).collect();
        let lapses = history.events.iter().filter(|event| tasks.contains(&event.task) && event.what == "lease_lapsed");
        let lapses = lapses.count();
        let excused = match failure {
            Some("poison") => lapses >= CRASH_LIMIT,
            // Its reader had seen some; it lapsed or was handed back.
            Some("output_interrupted") => told.submit.work.stdout().is_some() && !told.submit.work.reruns(),
            _ => false,
        };
        if !fits && !excused && job.outcome.is_some() {
            let what = format!("it ended as {} ({}) after {lapses} lapses", job.status, failure.unwrap_or("-"));
            self.bad(Invariant::I10, place, what);
        }
    }

    /// I8: a follower saw every record once.
    fn output(&mut self, history: &History, told: &Told, job: &Job, place: &str) {
        for wrong in &told.tape.wrong {
            self.bad(Invariant::I8, place, wrong.as_str());
        }
        let completed = job.status == "completed";
        if told.outcome.is_some() {
            self.records += told.tape.records.values().map(BTreeSet::len).sum::<usize>();
            for task in history.tasks.iter().filter(|task| task.job == job.id) {
                self.shown(history, told, task, completed, place);
            }
        }
        if let Some(expected) = told.submit.work.stdout()
            && completed
            && told.tape.stdout.1 != expected
        {
            let (got, wanted) = (told.tape.stdout.1.len(), expected.len());
            self.bad(Invariant::I8, place, format!("its standard output of {wanted} bytes was shown as {got} others"));
        }
    }

    /// Of every attempt, all that is kept was shown.
    fn shown(&mut self, history: &History, told: &Told, task: &Task, completed: bool, place: &str) {
        let mut kept: BTreeMap<i64, i64> = BTreeMap::new();
        for chunk in history.chunks.iter().filter(|chunk| chunk.task == task.id) {
            let last = kept.entry(chunk.epoch).or_default();
            *last = chunk.batch_last.max(*last);
        }
        for (epoch, last) in kept {
            // Standard output that is held back of an attempt which did not win is never shown.
            if told.submit.work.reruns() && !(completed && epoch == task.epoch) {
                continue;
            }
            let of = |((id, number), _): &(&(TaskId, u32), _)| id.0 == task.id && i64::from(*number) == epoch;
            let shown = told.tape.records.iter().find(of).map_or(0, |(_, records)| records.len());
            if i64::try_from(shown) != Ok(last) {
                self.bad(Invariant::I8, place, format!("epoch {epoch}: {shown} records were shown, {last} are kept"));
            }
        }
    }

    /// I2: the file that a completed job made names the attempt that won.
    fn signature(&mut self, stage: &Stage, history: &History, told: &Told, job: &Job, place: &str) {
        if !told.submit.work.signs() || job.status != "completed" {
            return;
        }
        let Some(task) = history.tasks.iter().find(|task| task.job == job.id) else { return };
        let file = stage.fleet.media().join(format!("chaos/{}.sign", told.submit.number));
        let signed = fs::read_to_string(&file).unwrap_or_default();
        let winner = format!("{}.{}", task.id, task.epoch);
        if signed.trim_end() != winner {
            self.bad(Invariant::I2, place, format!("{winner} won, and its output is signed {:?}", signed.trim_end()));
        }
    }

    /// I12: what was injected was felt, and whatever was ended has started once more than that.
    fn felt(&mut self, stage: &Stage, seen: &Seen) {
        for (kind, _) in seen.faults.iter().filter(|(_, felt)| !felt) {
            self.bad(Invariant::I12, kind.name(), "it was injected, and nobody felt it");
        }
        for Log { name, said, start } in stage.logs() {
            let starts = said.matches(start).count();
            let ends = seen.ends.get(&name).copied().unwrap_or_default();
            if starts != ends + 1 {
                self.bad(Invariant::I12, name, format!("it was ended {ends} times and started {starts} times"));
            }
        }
    }

    /// I9: a worker that has left keeps nothing of what it did.
    fn left_behind(&mut self, stage: &Stage) {
        for worker in &stage.workers {
            let state = stage.fleet.dir().join("workers").join(worker.id().as_str()).join("state");
            for folder in ["running", "reports", "spool", "scratch"] {
                for entry in fs::read_dir(state.join(folder)).into_iter().flatten().flatten() {
                    self.bad(
                        Invariant::I9,
                        format!("worker {}", worker.id()),
                        format!("it left {} behind", entry.path().display()),
                    );
                }
            }
        }
    }
}
