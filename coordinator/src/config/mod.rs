//! The coordinator's configuration. The structs are the manual: every field with its meaning and its default.
//!
//! Read once at the start, from a file, then environment variables (`FFLEET_COORDINATOR_` with `__` between levels), then
//! flags; passed down, never global.

mod check;
mod files;
mod sections;
#[cfg(test)]
mod tests;
mod tls;

use std::path::PathBuf;

use ffleet_nudges::Notify;
use ffleet_settings::{Environment, Loaded, Overrides, SettingsError, Source};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use files::FileError;
pub use sections::{Database, DatabaseTls, Limits, Log, LogFormat, MasterKey, Retention, Timing, Tls, Verify};
pub use tls::{Certificate, TlsError};

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port to listen on. `127.0.0.1:8461`
    pub listen: String,
    /// The names that clients and workers call this installation by, such as `ffleet.example.com` or `10.0.0.5:8461`. A
    /// signature made for another name is refused. None: this machine's own addresses and name. None
    pub public_names: Vec<String>,
    /// The path that a proxy in front strips, such as `/ffleet`. None
    pub public_base_path: String,
    /// Proxies whose `X-Forwarded-For` is believed, as networks. None
    pub trusted_proxies: Vec<IpNet>,
    /// Networks from which `/health`, `/metrics` and `/openapi.json` may be read. This machine and private networks
    pub machine_networks: Vec<IpNet>,
    /// Certificate and key, to serve HTTPS. Off: a proxy does it, or the network is trusted. Off
    pub tls: Option<Tls>,
    /// Where everything is kept.
    pub database: Database,
    /// What the keys of accounts are sealed with.
    pub master_key: MasterKey,
    /// Brokers that carry nudges between coordinators, and to workers and clients that listen to them.
    pub notify: Notify,
    /// What is written about the running program.
    pub log: Log,
    /// How long things take and last.
    pub timing: Timing,
    /// What is allowed, and how much of it.
    pub limits: Limits,
    /// How long ended jobs are kept.
    pub retention: Retention,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8461".to_owned(),
            public_names: Vec::new(),
            public_base_path: String::new(),
            trusted_proxies: Vec::new(),
            machine_networks: private_networks(),
            tls: None,
            database: Database::default(),
            master_key: MasterKey::default(),
            notify: Notify::default(),
            log: Log::default(),
            timing: Timing::default(),
            limits: Limits::default(),
            retention: Retention::default(),
        }
    }
}

/// This machine and private networks: where load balancers and monitoring live.
fn private_networks() -> Vec<IpNet> {
    let networks = [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    ];
    networks.iter().filter_map(|network| network.parse().ok()).collect()
}

impl Config {
    /// Reads the configuration of this process and checks it.
    ///
    /// # Errors
    /// When something in it is not understood or cannot work; the message names the key and where it was written.
    pub fn load(file: Option<PathBuf>, flags: &Overrides) -> Result<Loaded<Self>, SettingsError> {
        Self::load_in(&Environment::of_process(), file, flags)
    }

    /// The same in a given environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_in(
        environment: &Environment,
        file: Option<PathBuf>,
        flags: &Overrides,
    ) -> Result<Loaded<Self>, SettingsError> {
        let source = Source {
            flag: file,
            env_var: "FFLEET_COORDINATOR_CONFIG",
            file_name: "coordinator.toml",
            env_prefix: "FFLEET_COORDINATOR_",
        };
        let loaded: Loaded<Self> = ffleet_settings::load_in(environment, &source, flags)?;
        let problems = loaded.value.problems();
        if problems.is_empty() { Ok(loaded) } else { Err(SettingsError::Invalid { path: loaded.path, problems }) }
    }

    /// The effective configuration as TOML, without secrets.
    ///
    /// # Errors
    /// When it has no TOML form, which would be a fault of ours.
    pub fn show(&self) -> Result<String, SettingsError> {
        ffleet_settings::show(self, &[])
    }
}
