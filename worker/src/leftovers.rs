//! What an earlier life of this worker left behind: its children are killed and its files removed before anything new is
//! started, so that no encode runs beside the one that took its place.

use std::{collections::HashSet, fs, io, path::Path};

use ffleet_protocol::id::TaskId;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::{
    process::{self, MarkPrefix},
    state::{StateDir, attempt_name, remove, write_whole},
};

/// A child that was started, on disk while it lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    task: TaskId,
    epoch: u32,
    pid: i32,
    /// In clock ticks since the boot. A process with this number and another start is a stranger.
    started: u64,
    boot: String,
}

/// The note that a child runs; removed when it is dropped.
#[derive(Debug)]
pub struct Note {
    path: std::path::PathBuf,
}

impl Note {
    /// Writes down that this child, which started so many ticks after the boot, runs for this attempt.
    pub fn write(state: &StateDir, task: TaskId, epoch: u32, pid: Pid, started: u64) -> io::Result<Self> {
        let path = state.running().join(format!("{}.json", attempt_name(task, epoch)));
        let entry = Entry { task, epoch, pid: pid.as_raw(), started, boot: process::boot_id() };
        write_whole(&path, &serde_json::to_vec(&entry)?)?;
        Ok(Self { path })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Clears away everything of earlier lives except the attempts in `keep`, whose end is still to be reported. Blocks.
pub fn clear(state: &StateDir, keep: &HashSet<(TaskId, u32)>) -> io::Result<()> {
    let boot = process::boot_id();
    for path in files(&state.running())? {
        match fs::read(&path).map(|bytes| serde_json::from_slice::<Entry>(&bytes)) {
            Ok(Ok(entry)) => kill(&entry, &boot),
            Ok(Err(error)) => tracing::warn!(%error, path = %path.display(), "a note about a child cannot be read"),
            Err(error) => tracing::warn!(%error, path = %path.display(), "a note about a child cannot be read"),
        }
        remove(&path);
    }
    let killed = process::kill_marked(&MarkPrefix::new(state.id()));
    if killed > 0 {
        tracing::warn!(killed, "killed processes that an earlier start of this worker left behind");
    }
    let kept: HashSet<String> = keep.iter().map(|(task, epoch)| attempt_name(*task, *epoch)).collect();
    for path in files(&state.spools())? {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let whole = path.extension().is_some_and(|extension| extension == "ndjson");
        if !whole || !kept.contains(name) {
            remove(&path);
        }
    }
    for path in files(&state.scratches())? {
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(%error, path = %path.display(), "a scratch directory cannot be removed");
        }
    }
    Ok(())
}

/// Kills the group of a child, if the child is still the same process. A leader that is gone takes its group's number
/// with it sooner or later; what is left of such a group is found by its mark.
fn kill(entry: &Entry, boot: &str) {
    let pid = Pid::from_raw(entry.pid);
    let Some(stat) = process::stat(pid).filter(|stat| stat.started == entry.started) else { return };
    if entry.boot != boot || entry.started == 0 || entry.pid <= 1 {
        return;
    }
    // A zombie that nobody has buried still keeps the number for its group.
    if stat.state != 'Z' {
        let (task, epoch) = (entry.task, entry.epoch);
        tracing::warn!(%task, epoch, pid = entry.pid, "killing what an earlier start left running");
    }
    process::kill_group_of(pid);
}

fn files(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}
