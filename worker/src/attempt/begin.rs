//! Starting the program of an attempt: its directory, its additions, its pipes, and the note that it runs.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ffleet_protocol::task::Grant;

use super::{
    end::{self, End},
    output::{Drains, Pipes},
    preflight::Plan,
};
use crate::{
    agent::{Held, Worker},
    ffmpeg::{self, args, expected::Cuts},
    leftovers::Note,
    process::{self, Control, Program},
    progress,
    shipping::Spool,
    state::attempt_name,
};

/// How long ffprobe may look for the length of the input.
const PROBE: Duration = Duration::from_secs(10);

/// A program that runs, with everything that has to be cleared away after it.
pub struct Begun {
    /// To steer it.
    pub control: Control,
    /// Its pipes.
    pub drains: Drains,
    /// Whether it understands a typed `q`.
    pub knows_q: bool,
    /// Whether it tells this worker how far it is.
    pub tells_progress: bool,
    _kill: process::KillOnDrop,
    _probing: Option<Probing>,
    /// Its result goes with it: however late the note is written, it is removed then.
    _note: tokio::task::JoinHandle<Option<Note>>,
    _scratch: Option<Scratch>,
}

/// An empty directory, removed afterwards.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "a scratch directory cannot be removed");
        }
    }
}

/// Starts the program of `plan`.
pub async fn begin(
    worker: &Arc<Worker>,
    grant: &Grant,
    held: &Arc<Held>,
    plan: &Plan,
    spool: &Arc<Spool>,
) -> Result<Begun, End> {
    let failed = |what: &str, error: &io::Error| end::worker_error(format!("{what}: {error}"));
    let (dir, scratch) = match &plan.dir {
        Some(dir) => (dir.clone(), None),
        None => {
            let scratch = worker.state.make_scratch(grant.task, grant.epoch);
            let scratch = scratch.map_err(|error| failed("the worker cannot make a scratch directory", &error))?;
            (scratch.clone(), Some(Scratch(scratch)))
        }
    };
    let is_ffmpeg = plan.name == ffmpeg::FFMPEG;
    let said = args::said(&plan.args);
    let wants_progress = is_ffmpeg && !said.progress;
    let pipe = wants_progress.then(process::extra_pipe).transpose();
    let pipe = pipe.map_err(|error| failed("the worker cannot make a pipe", &error))?;
    let (progress_read, progress_write) = pipe.unzip();

    let mut arguments = plan.args.clone();
    if is_ffmpeg {
        let number = progress_write.as_ref().map(std::os::fd::AsRawFd::as_raw_fd);
        arguments = args::complete(arguments, number, grant.rerun);
    }
    let name = attempt_name(grant.task, grant.epoch);
    let mark = worker.marks.mark(&name);
    let program = Program {
        file: plan.file.clone(),
        args: arguments,
        dir: dir.clone(),
        environment: process::base_environment(&worker.config.environment),
        mark,
        inherited: progress_write,
    };
    let running = worker.starter.start(program).await.map_err(|problem| end::not_started(&problem))?;
    let control = running.control.clone();
    let kill = process::KillOnDrop(control.clone());

    let duration = Arc::new(AtomicI64::new(0));
    let probing = if is_ffmpeg { find_duration(worker, plan, &dir, &name, &duration) } else { None };
    let telling = Arc::clone(held);
    let tell = move |report| {
        let known = Some(duration.load(Ordering::Relaxed)).filter(|us| *us > 0);
        telling.set_progress(progress::with_duration(report, known));
    };
    let stdout_max = grant.stdout_max_bytes;
    let pipes = Pipes { stdout: running.stdout, stderr: running.stderr, progress: progress_read, stdout_max };
    let drains =
        Drains::start(pipes, spool, tell).map_err(|error| failed("the worker cannot start a thread", &error))?;
    let note = write_note(worker, grant, &control);
    tracing::info!(pid = control.pid().as_raw(), program = %plan.file.display(), "started");
    let knows_q = is_ffmpeg && !said.deaf;
    let tells_progress = wants_progress;
    Ok(Begun {
        control,
        drains,
        knows_q,
        tells_progress,
        _kill: kill,
        _probing: probing,
        _note: note,
        _scratch: scratch,
    })
}

/// Only a worker that is killed at once needs the note, so an attempt neither waits for it nor fails for the want of it.
fn write_note(worker: &Worker, grant: &Grant, control: &Control) -> tokio::task::JoinHandle<Option<Note>> {
    let (state, task, epoch, pid) = (Arc::clone(&worker.state), grant.task, grant.epoch, control.pid());
    // Read now: later the number may be a stranger's.
    let started = process::stat(pid).map_or(0, |stat| stat.started);
    tokio::task::spawn_blocking(move || match Note::write(&state, task, epoch, pid, started) {
        Ok(note) => Some(note),
        Err(error) => {
            tracing::warn!(%error, "the note that a program runs cannot be written");
            None
        }
    })
}

/// The look for the duration; it ends with the attempt.
struct Probing(tokio::task::JoinHandle<()>);

impl Drop for Probing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Finds the length of the result in microseconds; `known` stays 0 until then. ffprobe looks at the first input beside the
/// program, which does not wait for it.
fn find_duration(
    worker: &Arc<Worker>,
    plan: &Plan,
    dir: &Path,
    attempt: &str,
    known: &Arc<AtomicI64>,
) -> Option<Probing> {
    let cuts = Cuts::read(&plan.args)?;
    if let Some(length) = cuts.expected(None) {
        known.store(length, Ordering::Relaxed);
    }
    let input = dir.join(args::inputs(&plan.args).first()?);
    let program = Program {
        file: worker.proven().programs.get(ffmpeg::FFPROBE)?.clone(),
        args: args::probe_duration(&input),
        dir: dir.to_owned(),
        environment: process::base_environment(&worker.config.environment),
        // A mark of its own: when ffprobe ends, everything that carries its mark is killed.
        mark: worker.marks.mark(&format!("{attempt}.duration")),
        inherited: None,
    };
    let (worker, found) = (Arc::clone(worker), Arc::clone(known));
    Some(Probing(tokio::spawn(async move {
        if !tokio::fs::metadata(&input).await.is_ok_and(|meta| meta.is_file()) {
            return;
        }
        let probed = process::printed(&worker.starter, program, PROBE).await;
        let length = probed.ok().and_then(|printed| args::probed_duration(&printed.stdout));
        if let Some(length) = length.and_then(|length| cuts.expected(Some(length))) {
            found.store(length, Ordering::Relaxed);
        }
    })))
}
