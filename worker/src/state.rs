//! The worker's own directory: what it must still know after a restart, and scratch space.
//!
//! ```text
//! lock                    held by the one worker that uses the directory
//! id                      made once; marks the processes of this directory's workers
//! running/TASK.EPOCH.json a child that was started (leftovers)
//! reports/TASK.EPOCH.json an end that no coordinator has taken yet (reports)
//! spool/TASK.EPOCH.ndjson output on its way (shipping)
//! scratch/TASK.EPOCH/     working directory of an attempt without one of its own
//! ```

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use ffleet_protocol::id::TaskId;
use uuid::Uuid;

/// A state directory, held by this process.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    id: String,
    /// Locked as long as it is open.
    _lock: File,
}

/// A state directory that cannot be used, in words for people.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another worker uses it.
    #[error("another worker uses {}; each one needs a `state_dir` of its own", .0.display())]
    InUse(PathBuf),
    /// The file system said no.
    #[error("the state directory {} cannot be used: {cause}; set `state_dir` to one that the worker may write", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl StateDir {
    /// Makes what is missing and takes the lock.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        let unusable = |cause| StateDirError::Unusable { path: path.to_owned(), cause };
        for folder in ["running", "reports", "spool", "scratch"] {
            fs::create_dir_all(path.join(folder)).map_err(unusable)?;
        }
        // The scratch directories become working directories, which have to be absolute.
        let path = fs::canonicalize(path).map_err(unusable)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateDirError::InUse(path)),
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        let id = own_id(&path.join("id")).map_err(unusable)?;
        Ok(Self { path, id, _lock: lock })
    }

    /// Told in the environment of every child.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Files about children that were started.
    #[must_use]
    pub fn running(&self) -> PathBuf {
        self.path.join("running")
    }

    /// Final reports.
    #[must_use]
    pub fn reports(&self) -> PathBuf {
        self.path.join("reports")
    }

    /// All spools.
    #[must_use]
    pub fn spools(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// All scratch directories.
    #[must_use]
    pub fn scratches(&self) -> PathBuf {
        self.path.join("scratch")
    }

    /// The output of one attempt.
    #[must_use]
    pub fn spool(&self, task: TaskId, epoch: u32) -> PathBuf {
        self.spools().join(format!("{}.ndjson", attempt_name(task, epoch)))
    }

    /// An empty directory for one attempt.
    pub fn make_scratch(&self, task: TaskId, epoch: u32) -> io::Result<PathBuf> {
        let path = self.scratches().join(attempt_name(task, epoch));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir(&path)?;
        Ok(path)
    }
}

/// How files are named after an attempt.
#[must_use]
pub fn attempt_name(task: TaskId, epoch: u32) -> String {
    format!("{task}.{epoch}")
}

/// Writes a file so that it is there whole or not at all, whatever happens.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file that may be gone already.
pub fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "a file of the state directory cannot be removed");
        }
        Ok(()) | Err(_) => {}
    }
}

fn own_id(path: &Path) -> io::Result<String> {
    let known = match fs::read_to_string(path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if !known.is_empty() {
        return Ok(known);
    }
    let id = Uuid::new_v4().simple().to_string();
    write_whole(path, id.as_bytes())?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state");
        let held = StateDir::open(&path).unwrap();
        let id = held.id().to_owned();
        assert!(matches!(StateDir::open(&path), Err(StateDirError::InUse(_))));
        drop(held);
        assert_eq!(StateDir::open(&path).unwrap().id(), id, "the directory keeps its id");
    }

    #[test]
    fn scratch_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let task = TaskId::new();
        let scratch = state.make_scratch(task, 1).unwrap();
        fs::write(scratch.join("rest"), "").unwrap();
        assert_eq!(state.make_scratch(task, 1).unwrap(), scratch);
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_a_directory_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(StateDir::open(&file).unwrap_err().to_string().contains("state_dir"));
    }
}
