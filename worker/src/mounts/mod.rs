//! Path variables: which of this machine's directories they stand for, whether those are there, and where a path
//! template leads.

mod prove;
mod resolve;

use std::{collections::BTreeMap, path::PathBuf};

use ffleet_protocol::template::Variable;
use serde::{Deserialize, Serialize};

pub use prove::{Proof, prove};
pub use resolve::CannotResolve;

/// A directory behind a path variable, as configured: a path, or a table with more to say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "Written")]
pub struct Root {
    /// The directory.
    pub path: PathBuf,
    /// Must files be makeable there? Unset means: find out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writable: Option<bool>,
    /// Something must be mounted there; an empty mount point must not be mistaken for an empty library.
    pub mount: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a path, or a table { path, writable, mount }")]
enum Written {
    Path(PathBuf),
    Table(Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    path: PathBuf,
    #[serde(default)]
    writable: Option<bool>,
    #[serde(default)]
    mount: bool,
}

impl From<Written> for Root {
    fn from(written: Written) -> Self {
        match written {
            Written::Path(path) => Self { path, writable: None, mount: false },
            Written::Table(Table { path, writable, mount }) => Self { path, writable, mount },
        }
    }
}

/// All path variables of this worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts {
    roots: BTreeMap<Variable, Root>,
}

impl Mounts {
    /// As configured.
    #[must_use]
    pub fn new(roots: BTreeMap<Variable, Root>) -> Self {
        Self { roots }
    }

    /// By name.
    #[must_use]
    pub fn roots(&self) -> &BTreeMap<Variable, Root> {
        &self.roots
    }
}
