//! `ffleet submit --each-file`: a job for each of many files, made once however often it is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::Path,
};

use anyhow::Context as _;
use ffleet_client::{ApiError, PathMap};
use ffleet_protocol::{
    id::JobId,
    job::{BatchItem, BatchRequest, JobSpec, Submitted},
    limits,
    state::JobStatus,
};
use serde::Serialize;

use super::{
    Context, crowd,
    following::{Interrupts, interrupts},
};
use crate::{
    each::{self, Item, Items},
    exit,
    screen::ProgressMode,
    show,
    tally::Tally,
};

/// The label by which the jobs of one command are found again.
const LABEL: &str = "batch";
/// Bytes of one request, with room for what surrounds the jobs.
const REQUEST_BYTES: usize = limits::LARGE_BODY - 64 * 1024;
/// Distinct warnings that are shown; what is behind them is the same for very many jobs.
const WARNINGS: usize = 20;

/// Many files at once
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Many files at once")]
pub struct ManyFiles {
    /// Submit a job for each of these files: names, or patterns such as 'in/**/*.mkv', in quotes
    #[arg(long = "each-file", value_name = "GLOB", num_args = 1..,
          conflicts_with_all = ["monitor", "template", "idempotency_key"])]
    pub files: Vec<OsString>,
    /// What each file becomes, such as '{dir}/{stem}.mkv'
    #[arg(long, value_name = "PATTERN", requires = "files")]
    output: Option<OsString>,
    /// Submit everything again, and not only what is missing
    #[arg(long, requires = "files")]
    again: bool,
    /// Wait until all of them have ended, as `ffleet job wait --label` does
    #[arg(long, requires = "files", conflicts_with = "detach")]
    wait: bool,
}

/// Submits a job like `common` for each file.
pub async fn run(
    context: &Context<'_>,
    args: ManyFiles,
    command: &[OsString],
    mut common: JobSpec,
    progress: ProgressMode,
) -> anyhow::Result<u8> {
    let cwd = std::env::current_dir().context("the working directory cannot be found")?;
    let files = each::find(&args.files, &cwd)?;
    let items = Items::new(&common.program, command, args.output.as_ref(), files, &cwd)?;
    let label = (LABEL.to_owned(), common.labels.entry(LABEL.to_owned()).or_insert_with(|| items.name()).clone());
    if items.left_out() > 0 {
        let n = items.left_out();
        context.out.note(&format!("files that others here are turned into, and that are left out: {n}"));
    }
    let map = context.config.path_map()?;
    let run = Run { context, map, cwd: &cwd, common, again: args.again, total: items.len() };
    let mut signals = interrupts()?;
    let mut tally = Tally::new(context.out, progress, "submitting", items.len());
    let mut counts = Counts { label: format!("{}={}", label.0, label.1), ..Counts::default() };
    let stopped = run.all(&items, &mut signals, &mut tally, &mut counts).await;
    drop(tally);
    counts.left_out = items.left_out();
    counts.tell(context)?;
    if stopped? {
        let left = items.len() - counts.done();
        context.out.note(&format!("stopped; files left: {left}; the same command submits them"));
        return Ok(exit::CANCELED);
    }
    if !args.wait {
        return Ok(0);
    }
    crowd::wait(context, crowd::Which { label: Some(counts.label), requester: None }, None).await
}

/// What stays the same from file to file.
struct Run<'a> {
    context: &'a Context<'a>,
    map: PathMap,
    cwd: &'a Path,
    common: JobSpec,
    again: bool,
    total: usize,
}

/// Jobs that go out together.
#[derive(Default)]
struct Batch {
    jobs: Vec<BatchItem>,
    names: Vec<Names>,
    bytes: usize,
}

#[derive(Serialize)]
struct Names {
    input: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    submitted: &'a Submitted,
    #[serde(flatten)]
    names: &'a Names,
}

impl Run<'_> {
    /// Submits everything, or as much as there is until somebody presses Ctrl-C: true then.
    async fn all(
        &self,
        items: &Items,
        signals: &mut Interrupts,
        tally: &mut Tally<'_>,
        counts: &mut Counts,
    ) -> anyhow::Result<bool> {
        let mut batch = Batch::default();
        for item in items.iter() {
            let (job, bytes) = self.job(&item, counts)?;
            let full = batch.jobs.len() == limits::BATCH || batch.bytes + bytes > REQUEST_BYTES;
            if full && self.send(std::mem::take(&mut batch), signals, tally, counts).await? {
                return Ok(true);
            }
            batch.bytes += bytes;
            batch.jobs.push(job);
            batch.names.push(Names {
                input: item.input.display().to_string(),
                output: item.output.as_ref().map(|path| path.display().to_string()),
            });
        }
        if batch.jobs.is_empty() { Ok(false) } else { self.send(batch, signals, tally, counts).await }
    }

    fn job(&self, item: &Item<'_>, counts: &mut Counts) -> anyhow::Result<(BatchItem, usize)> {
        let mapped = self.map.command(&item.args, self.cwd, false)?;
        let input = self.map.argument(item.input.as_os_str())?;
        let output = item.output.as_ref().map(|path| self.map.argument(path.as_os_str())).transpose()?;
        counts.warnings.extend(mapped.warnings);
        let cwd = mapped.cwd.as_ref().map(|cwd| cwd.as_bytes()).unwrap_or_default();
        let output = output.as_ref().map(|path| path.as_bytes()).unwrap_or_default();
        let mut words = vec![self.common.program.as_bytes(), cwd, input.as_bytes(), output];
        words.extend(mapped.args.iter().map(|arg| arg.as_bytes()));
        let identity = Some(each::identity(&words));
        let job = JobSpec { args: mapped.args, cwd: mapped.cwd, identity, ..self.common.clone() };
        let item = BatchItem { idempotency_key: ffleet_protocol::id::unused(), job };
        let bytes = serde_json::to_vec(&item)?.len() + 1;
        Ok((item, bytes))
    }

    /// Sends a batch. Ctrl-C lets it be answered and stops then; a second one stops at once.
    async fn send(
        &self,
        batch: Batch,
        signals: &mut Interrupts,
        tally: &mut Tally<'_>,
        counts: &mut Counts,
    ) -> anyhow::Result<bool> {
        let request = BatchRequest { jobs: batch.jobs, again: self.again };
        let answer = self.context.api.batch(&request);
        tokio::pin!(answer);
        let mut interrupted = false;
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = signals.recv() => {
                    if interrupted {
                        return Ok(true);
                    }
                    interrupted = true;
                    tally.note("stopping after this batch; press Ctrl-C again to stop at once");
                }
            }
        };
        let answer = answer.map_err(|error| self.refused(error, &batch.names, counts.done()))?;
        for (submitted, names) in answer.jobs.iter().zip(&batch.names) {
            if self.context.out.json() {
                self.context.out.json_line(&Line { r#type: "submitted", submitted, names })?;
            }
            counts.add(submitted);
        }
        tally.at(counts.done());
        Ok(interrupted && counts.done() < self.total)
    }

    /// Says which files a refusal is about, and what has become of the others.
    fn refused(&self, error: ApiError, names: &[Names], done: usize) -> anyhow::Error {
        let fields = error.problem().map(|problem| problem.errors.as_slice()).unwrap_or_default();
        let indexes: BTreeSet<usize> = fields
            .iter()
            .filter_map(|error| error.field.strip_prefix("jobs[")?.split_once(']')?.0.parse().ok())
            .collect();
        let named = indexes.iter().filter_map(|index| Some((index, names.get(*index)?)));
        let named: String =
            named.take(5).map(|(index, names)| format!("\n  jobs[{index}] is {}", names.input)).collect();
        let so_far = match done {
            0 => "nothing was submitted".to_owned(),
            done => format!("{done} of {} are submitted, and the same command submits the rest", self.total),
        };
        anyhow::Error::new(error).context(format!("{so_far}{named}"))
    }
}

/// What came of it.
#[derive(Default)]
struct Counts {
    submitted: usize,
    existing: BTreeMap<&'static str, usize>,
    left_out: usize,
    label: String,
    warnings: BTreeSet<String>,
    last: Option<JobId>,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    r#type: &'static str,
    submitted: usize,
    /// Those that were there already, by where they stand.
    existing: &'a BTreeMap<&'static str, usize>,
    left_out: usize,
    label: &'a str,
}

impl Counts {
    fn done(&self) -> usize {
        self.submitted + self.existing.values().sum::<usize>()
    }

    fn add(&mut self, job: &Submitted) {
        if job.existing {
            *self.existing.entry(job.status.as_str()).or_default() += 1;
        } else {
            self.submitted += 1;
            self.last = Some(job.id);
        }
        self.warnings.extend(job.warnings.iter().cloned());
    }

    fn existing(&self, status: JobStatus) -> usize {
        self.existing.get(status.as_str()).copied().unwrap_or(0)
    }

    fn tell(&self, context: &Context<'_>) -> anyhow::Result<()> {
        let out = context.out;
        for warning in self.warnings.iter().take(WARNINGS) {
            out.note(&format!("warning: {warning}"));
        }
        if let Some(more) = self.warnings.len().checked_sub(WARNINGS).filter(|more| *more > 0) {
            out.note(&format!("other warnings: {more}; `ffleet job show` tells those of a job"));
        }
        if let Some(id) = self.last {
            crate::ids::remember(id);
        }
        if out.json() {
            let (submitted, existing, left_out) = (self.submitted, &self.existing, self.left_out);
            out.json_line(&Summary { r#type: "summary", submitted, existing, left_out, label: &self.label })?;
            return Ok(());
        }
        let there = show::counted(self.existing.iter().map(|(status, n)| (*status, *n)));
        let there = if there.is_empty() { String::new() } else { format!("; there already: {there}") };
        out.line(&format!("submitted: {}{there}", self.submitted))?;
        let label = &self.label;
        if self.existing(JobStatus::Failed) + self.existing(JobStatus::Canceled) > 0 {
            out.note(&format!(
                "to submit failed ones again: ffleet job retry --failed --label {label} (or --canceled)"
            ));
        }
        if self.done() > 0 {
            out.note(&format!("all of them: ffleet job list --label {label}, likewise job wait, job cancel"));
        }
        Ok(())
    }
}
