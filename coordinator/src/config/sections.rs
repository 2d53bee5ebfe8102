//! The sections of the configuration.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ffleet_protocol::{limits, template::Variable};
use ffleet_settings::SecretReaders;
use serde::{Deserialize, Serialize};

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:///path/to/file.db`, on a local disk, for one coordinator; `mysql://USER@HOST:3306/DATABASE` for MariaDB or a
    /// Galera cluster, or `postgres://USER@HOST:5432/DATABASE`, for any number. `sqlite:///var/lib/ffleet/ffleet.db`
    pub url: String,
    /// File with the password of that user, which then need not stand in the URL. None
    pub password_file: Option<PathBuf>,
    /// Connections to a server, for writing and as many for each of two kinds of reading. They are made when they are
    /// needed. 8
    pub connections: u32,
    /// Encryption of the connections to a server.
    pub tls: DatabaseTls,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite:///var/lib/ffleet/ffleet.db".to_owned(),
            password_file: None,
            connections: 8,
            tls: DatabaseTls::default(),
        }
    }
}

/// Encryption of the connections to a database server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseTls {
    /// What the server's certificate must prove: `off` (nothing; encrypted if the server can), `encrypt` (nothing, but never
    /// without encryption), `ca` (signed by an authority that is trusted), `full` (and made for the host that `database.url`
    /// names). off
    pub verify: Verify,
    /// PEM file with the certificates of authorities that are trusted besides the public ones. None
    pub ca: Option<PathBuf>,
    /// PEM file with a certificate for this coordinator, if the server wants one. None
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key. None
    pub key: Option<PathBuf>,
}

/// What a server's certificate must prove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Nothing.
    #[default]
    Off,
    /// Nothing, but the connection is encrypted.
    Encrypt,
    /// Who signed it.
    Ca,
    /// And whom it was made for.
    Full,
}

/// What the keys of accounts are sealed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MasterKey {
    /// File with 32 random bytes in base64; `ffleet-coordinator init` makes one. `/etc/ffleet/master.key`
    pub file: PathBuf,
    /// Files of earlier keys, which can still open what they sealed. To change the key on several coordinators: first add
    /// the new one here everywhere, then swap the two. None
    pub older: Vec<PathBuf>,
    /// Take key files, that of `tls` too, although others than their owner can read them. false
    pub allow_open_files: bool,
}

impl Default for MasterKey {
    fn default() -> Self {
        Self { file: "/etc/ffleet/master.key".into(), older: Vec::new(), allow_open_files: false }
    }
}

impl Database {
    /// Whether `url` leads to a server.
    #[must_use]
    pub fn is_server(&self) -> bool {
        ["mysql://", "mariadb://", "postgres://", "postgresql://"].iter().any(|scheme| self.url.starts_with(scheme))
    }

    /// The file, if `url` names one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        let rest = self.url.strip_prefix("sqlite:")?;
        let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next()?;
        (!path.is_empty() && path != ":memory:").then_some(Path::new(path))
    }
}

impl MasterKey {
    /// Who may be able to read the key files.
    #[must_use]
    pub fn readers(&self) -> SecretReaders {
        if self.allow_open_files { SecretReaders::Anyone } else { SecretReaders::OwnerOnly }
    }
}

/// Certificate and key of HTTPS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate and those above it.
    pub certificate: PathBuf,
    /// PEM file with its private key, readable by its owner only unless `master_key.allow_open_files`.
    pub key: PathBuf,
}

/// What is written about the running program, to stderr.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` for people, `json` for collectors. text
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`, or one for each part: `info,ffleet_coordinator::http=debug`. info
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How long things take and last, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Workers say so often that they live. 5
    pub heartbeat_s: u64,
    /// A worker that has not been heard for so long loses its tasks. 35
    pub lease_s: u64,
    /// A worker that has not been answered for so long stops its tasks. 28
    pub give_up_s: u64,
    /// What it stops so gets this long to end before it is killed. 2
    pub forced_stop_s: u64,
    /// The janitor looks so often for what has passed its time. 5
    pub sweep_s: u64,
    /// A worker that was given a task must accept or reject it within this. 10
    pub assignment_s: u64,
    /// A worker that was silent for so long counts as offline. 15
    pub worker_silent_s: u64,
    /// A monitored job whose client was silent for so long is canceled. 35
    pub client_gone_s: u64,
    /// A request that waits for something to happen is answered after this at the latest. 25
    pub long_poll_s: u64,
    /// So often a coordinator looks for what others have done, in milliseconds. Brokers tell it at once; without one, this is
    /// how long whoever waits here may wait for what happens there. 250
    pub tail_ms: u64,
    /// When told to stop, the coordinator says for so long that it is not ready but still serves, so that load balancers
    /// turn away first: more than the time between their checks. 0 stops at once. 1
    pub linger_s: u64,
    /// Requests that are under way then get this long to end. 30
    pub shutdown_s: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat_s: 5,
            lease_s: 35,
            give_up_s: 28,
            forced_stop_s: 2,
            sweep_s: 5,
            assignment_s: 10,
            worker_silent_s: 15,
            client_gone_s: 35,
            long_poll_s: limits::LONG_POLL_S,
            tail_ms: 250,
            linger_s: 1,
            shutdown_s: 30,
        }
    }
}

/// What is allowed, and how much of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Programs that jobs may name. ffmpeg, ffprobe
    pub programs: BTreeSet<String>,
    /// Path variables that jobs may name. None: any that a worker has. None
    pub variables: BTreeSet<Variable>,
    /// A task that was lost with so many workers is not tried again. One loss before that, a worker runs it beside no other
    /// that is as near to it, so that those who only were beside a guilty one are not taken for it. 3
    pub crash_limit: u32,
    /// A task that was rejected so often in a row is given up. 20
    pub reject_limit: u32,
    /// Output kept per task, in bytes; more than that and its middle goes. 8 MiB
    pub log_cap_bytes: u64,
    /// Standard output that one attempt may deliver, in bytes. 64 MiB
    pub stdout_max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            programs: ["ffmpeg", "ffprobe"].map(str::to_owned).into(),
            variables: BTreeSet::new(),
            crash_limit: 3,
            reject_limit: 20,
            log_cap_bytes: 8 * 1024 * 1024,
            stdout_max_bytes: limits::STDOUT_BYTES,
        }
    }
}

/// How long ended jobs are kept, with their output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Completed and canceled ones, in days. 30
    pub finished_days: u32,
    /// Failed ones, in days. 90
    pub failed_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { finished_days: 30, failed_days: 90 }
    }
}
