//! `ffleet-coordinator export`

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use ffleet_coordinator::store::transfer::{Exported, export};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Printing, configured, json, progress::Progress};
use crate::cli::Settings;

/// Write everything an installation has into a file
///
/// Accounts with their sealed keys, jobs, output, events: all of it as it was at one moment. A coordinator may serve
/// meanwhile, but what it does after that moment is not in the file: for a move, stop all coordinators first.
///
/// The file is of use only together with the master key, which is not in it. It is made readable by its owner only, under
/// this name when it is complete, and never in the place of another one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The new file; `-` for standard output
    file: PathBuf,
    #[command(flatten)]
    printing: Printing,
}

const EXAMPLES: &str = "\
Examples:
  ffleet-coordinator export fleet.export
  ffleet-coordinator export - | zstd > fleet.export.zst
  ffleet-coordinator --config new.toml import fleet.export";

/// Writes it.
pub async fn run(settings: &Settings, args: &Args) -> Result<(), Failure> {
    let config = configured(settings)?;
    let (database, readers) = (&config.database, config.master_key.readers());
    let mut progress = Progress::new();
    let mut told = |at| progress.transfer(at);
    if args.file == Path::new("-") {
        let mut out = BufWriter::new(std::io::stdout());
        let done = Box::pin(export(database, readers, &mut out, &mut told)).await?;
        drop(progress);
        eprintln!("{}", described("standard output", &done));
        return Ok(());
    }
    let mut file = NewFile::begin(&args.file)?;
    let exporting = Box::pin(export(database, readers, &mut file.out, &mut told));
    let done = tokio::select! {
        done = exporting => done?,
        stopped = stopped() => return Err(stopped),
    };
    drop(progress);
    file.finish()?;
    if args.printing.json {
        let Exported { at, rows, sha256 } = &done;
        return json(&serde_json::json!({ "file": args.file, "at": at, "rows": rows, "sha256": sha256 }));
    }
    println!("{}", described(&args.file.display().to_string(), &done));
    Ok(())
}

fn described(file: &str, done: &Exported) -> String {
    let rows: u64 = done.rows.values().sum();
    format!(
        "{file}: {rows} rows, {} jobs among them, as they were at {:.0}; what coordinators do after that is not in it",
        done.rows.get("jobs").copied().unwrap_or_default(),
        done.at
    )
}

/// Told to stop; what was begun is then removed, which would not happen to a process that just ends.
async fn stopped() -> Failure {
    let stopped = || Failure::Failed("stopped; no file was made".to_owned());
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => stopped(),
        _ = terminate.recv() => stopped(),
    }
}

/// A file that is there when it is complete, and else not at all.
struct NewFile {
    path: PathBuf,
    /// What it is called before.
    partial: PathBuf,
    out: BufWriter<File>,
}

impl NewFile {
    fn begin(path: &Path) -> Result<Self, Failure> {
        let exists = |path: &Path| format!("{} exists; name a new file, so that none is lost", path.display());
        if path.symlink_metadata().is_ok() {
            return Err(Failure::Wrong(exists(path)));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
        let file = made.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::Wrong(format!(
                "{} exists: another export is being written there, or was killed; remove it when it was",
                partial.display()
            )),
            _ => Failure::Failed(format!("cannot write {}: {error}", partial.display())),
        })?;
        Ok(Self { path: path.to_owned(), partial, out: BufWriter::with_capacity(1 << 18, file) })
    }

    /// Brings it to disk, and gives it its name.
    fn finish(mut self) -> Result<(), Failure> {
        self.out
            .flush()
            .and_then(|()| self.out.get_ref().sync_all())
            .and_then(|()| named(&self.partial, &self.path))
            .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", self.path.display())))
    }
}

/// Unlike a new name, a link does not take the place of a file that somebody else has made meanwhile. Where there are no
/// links, a look has to do.
fn named(partial: &Path, path: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(partial, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists || path.symlink_metadata().is_ok() => return Err(error),
        Err(_) => std::fs::rename(partial, path)?,
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // It has its other name by now, or is of no use.
        drop(std::fs::remove_file(&self.partial));
    }
}
