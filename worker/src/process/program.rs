//! What is to be started, and why it could not be.

use std::{ffi::OsString, io, os::fd::OwnedFd, path::PathBuf};

/// The variable that every process of an attempt carries.
pub(super) const MARK_VARIABLE: &str = "FFLEET_ATTEMPT";

/// What all marks of one worker begin with: the id of its state directory, so that workers on the same machine leave each
/// other's processes alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkPrefix(String);

impl MarkPrefix {
    /// From the id of a state directory.
    #[must_use]
    pub fn new(state_id: &str) -> Self {
        Self(format!("{state_id}/"))
    }

    /// The mark of one attempt, or of one probe.
    #[must_use]
    pub fn mark(&self, name: &str) -> Mark {
        Mark(format!("{}{name}", self.0))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Tells the processes of one attempt from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// As it stands in the environment.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A program that is to be started.
#[derive(Debug)]
pub struct Program {
    /// The file. It is run as it is; there is no shell.
    pub file: PathBuf,
    /// Arguments after the program's own name.
    pub args: Vec<OsString>,
    /// Working directory.
    pub dir: PathBuf,
    /// The whole environment, apart from the mark.
    pub environment: Vec<(OsString, OsString)>,
    /// To find its descendants by.
    pub mark: Mark,
    /// A descriptor that it inherits under the number it has here; all others stay with the worker.
    pub inherited: Option<OwnedFd>,
}

/// What every child is given of the worker's own environment, and nothing else of it.
const PASSED_ON: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"];

/// The small list of variables every child is given, with `extra` ones from the configuration added.
#[must_use]
pub fn base_environment<'a>(extra: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> =
        PASSED_ON.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))).collect();
    for (name, value) in extra {
        all.retain(|(known, _)| known.to_str() != Some(name));
        all.push((name.into(), value.into()));
    }
    all
}

/// A program that could not be started, in words for people.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// No such file.
    #[error("{} was not found; install it or correct the worker's `programs`", file.display())]
    NotFound {
        /// The program.
        file: PathBuf,
    },
    /// It may not be executed.
    #[error("{} may not be executed by the worker's user; check its permissions", file.display())]
    NotExecutable {
        /// The program.
        file: PathBuf,
    },
    /// The kernel said no for another reason.
    #[error("{} could not be started: {cause}", file.display())]
    Other {
        /// The program.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The worker's thread that starts children has ended.
    #[error("the worker is stopping and starts nothing any more")]
    Leaving,
}

impl StartProblem {
    pub(super) fn of(file: PathBuf, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::NotFound => Self::NotFound { file },
            io::ErrorKind::PermissionDenied => Self::NotExecutable { file },
            _ => Self::Other { file, cause },
        }
    }
}
