//! What a fleet is to be like before it starts.

use std::{fs, net::Ipv4Addr, path::Path, sync::Mutex, time::Duration};

use ffleet_servers::{Galera, HaProxy, MariaDb, free_port};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::{
    Coordinator, Fleet, Proxy, SmallDisk, certificates,
    coordinator::{self, SMALL_DISK, Server},
    fleet::{Parts, front_of},
    orphans::MARKER,
};

/// Timing with a lease of 6 s, for stories about lapses. Shorter leases lapse falsely beside an encode on two cores.
pub const SHORT_LEASES: &str = "\
[timing]
heartbeat_s = 1
lease_s = 6
give_up_s = 4
forced_stop_s = 1
sweep_s = 1
assignment_s = 3
worker_silent_s = 15
client_gone_s = 10
";

/// A fleet before it starts.
#[derive(Default)]
pub struct Setup {
    coordinators: Option<usize>,
    proxies: usize,
    small_database: bool,
    config: String,
    log_cap: Option<i64>,
    server: Option<Server>,
    database: Kept,
    front: bool,
    encrypted: bool,
    clocks: Vec<&'static str>,
    patience: Option<Duration>,
}

/// Where everything is kept.
#[derive(Default)]
enum Kept {
    /// Nobody said: in a file, unless `FFLEET_TEST_DATABASE` says `mariadb` or `galera`.
    #[default]
    Anywhere,
    At(Vec<String>),
}

impl Kept {
    async fn places(self, dir: &Path, small: bool) -> Vec<String> {
        let wanted = std::env::var("FFLEET_TEST_DATABASE").unwrap_or_default();
        match (self, wanted.as_str()) {
            (Self::At(urls), _) => urls,
            (Self::Anywhere, "mariadb") if !small => {
                vec![spawn_blocking(|| MariaDb::shared().database()).await.expect("a MariaDB")]
            }
            (Self::Anywhere, "galera") if !small => {
                spawn_blocking(|| Galera::shared().database()).await.expect("a Galera cluster").into()
            }
            (Self::Anywhere, _) => vec![coordinator::database_file(dir)],
        }
    }
}

impl Setup {
    /// Keeps everything in a database of its own in the MariaDB that the tests of this program share.
    #[must_use]
    pub async fn mariadb(self) -> Self {
        let url = spawn_blocking(|| MariaDb::shared().database()).await.expect("a MariaDB");
        self.database_at([url])
    }

    /// The same in the shared cluster; each coordinator at a node of its own.
    #[must_use]
    pub async fn galera(self) -> Self {
        let urls = spawn_blocking(|| Galera::shared().database()).await.expect("a Galera cluster");
        self.database_at(urls)
    }

    /// Keeps everything in an empty database. The first coordinator uses the first of these ways to it, the second the
    /// second and so on, round and round.
    #[must_use]
    pub fn database_at(mut self, urls: impl IntoIterator<Item = String>) -> Self {
        self.database = Kept::At(urls.into_iter().collect());
        self
    }

    /// Another program serves as coordinator, with this in its environment. It lies where the coordinator does.
    #[must_use]
    pub fn serving(mut self, program: &'static str, environment: &[(&'static str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.server = Some(Server { program, environment });
        self
    }

    /// Puts HAProxy in front of the coordinators, with the file that operators copy. Clients and workers know no other
    /// address, and coordinators that leave wait until it has noticed.
    #[must_use]
    pub fn behind_haproxy(mut self) -> Self {
        self.front = true;
        let mut server = self.server.take().unwrap_or_default();
        server.environment.push(("FFLEET_COORDINATOR_TIMING__LINGER_S", "1".to_owned()));
        self.server = Some(server);
        self
    }

    /// The same, encrypted: callers and HAProxy, HAProxy and the coordinators, with certificates of an authority that nobody
    /// else in the world believes.
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self.behind_haproxy()
    }

    /// For how long everybody who calls repeats what is not answered; as by default unless said otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// What each coordinator's own clock shows, such as `+10m`, for libfaketime.
    #[must_use]
    pub fn clocks(mut self, offsets: impl IntoIterator<Item = &'static str>) -> Self {
        self.clocks = offsets.into_iter().collect();
        self
    }

    /// How many bytes of a log the coordinators keep.
    #[must_use]
    pub fn log_cap(mut self, bytes: i64) -> Self {
        self.log_cap = Some(bytes);
        self.config(&format!("[limits]\nlog_cap_bytes = {bytes}"))
    }

    /// How many coordinators share the database; one unless said otherwise.
    #[must_use]
    pub fn coordinators(mut self, count: usize) -> Self {
        self.coordinators = Some(count);
        self
    }

    /// How many proxies there are ([`Fleet::proxy`]). The first leads to the first coordinator, the second to the second
    /// and so on, round and round; behind HAProxy all lead to that. Nobody goes through one who is not told to.
    #[must_use]
    pub fn proxies(mut self, count: usize) -> Self {
        self.proxies = count;
        self
    }

    /// Puts the database on a disk with little room ([`Fleet::database_disk`]).
    #[must_use]
    pub fn small_database(mut self) -> Self {
        self.small_database = true;
        self
    }

    /// Adds sections to the coordinators' configuration.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// Makes a fresh database and the accounts `chief` (admin), `studio` (client) and `farm` (worker), and starts the
    /// coordinators.
    pub async fn start(mut self) -> Fleet {
        let dir = folder();
        if self.encrypted {
            certificates::make(dir.path());
            self = self.config(&certificates::section(dir.path()));
        }
        for name in ["studio/gates", "keys", "logs", "bin"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let database_disk = self.small_database.then(|| SmallDisk::at(&dir.path().join(SMALL_DISK), 4));
        let proxies: Vec<_> = (0..self.proxies).map(|_| Proxy::start()).collect();
        let front = self.front.then(free_port);
        let names = public_names(&proxies, front);
        let database = self.database.places(dir.path(), self.small_database).await;
        let config = [database[0].as_str(), names.as_str(), &self.config];
        let bootstrap = coordinator::configure(dir.path(), "bootstrap", "127.0.0.1:0", config);
        let keys = dir.path().join("keys");
        coordinator::command_line(dir.path(), &bootstrap, &["init", "--dir", keys.to_str().unwrap()]).await;
        for (name, role) in [("chief", "admin"), ("studio", "client"), ("farm", "worker")] {
            let key = crate::fleet::key_path(dir.path(), name);
            let key = key.to_str().unwrap();
            let add = ["account", "add", name, "--role", role, "--out", key];
            coordinator::command_line(dir.path(), &bootstrap, &add).await;
        }
        let mut coordinators = Vec::new();
        for (n, url) in (1..=self.coordinators.unwrap_or(1)).zip(database.iter().cycle()) {
            let config = [url.as_str(), names.as_str(), &self.config];
            let (name, mut server) = (format!("coordinator-{n}"), self.server.clone().unwrap_or_default());
            if let Some(offset) = self.clocks.get(n - 1) {
                server.environment.extend(another_time(offset));
            }
            coordinators.push(Coordinator::start(dir.path(), &name, config, server).await);
        }
        for (proxy, coordinator) in proxies.iter().zip(coordinators.iter().cycle()) {
            proxy.forward_to(front.map_or_else(|| coordinator.address(), |port| (Ipv4Addr::LOCALHOST, port).into()));
        }
        let front = match front {
            Some(port) => {
                let config = front_of(dir.path(), port, &coordinators);
                let front = spawn_blocking(move || HaProxy::start(&config));
                Some((port, front.await.expect("HAProxy")))
            }
            None => None,
        };
        Fleet::of(Parts {
            front,
            patience: self.patience,
            dir,
            log_cap: self.log_cap,
            database,
            coordinators,
            proxies,
            database_disk,
            workers: Mutex::default(),
            clients: Mutex::default(),
        })
    }
}

/// The coordinators' own addresses, which they have without being told, and those of the proxies: requests are signed
/// for the address that their sender knows.
fn public_names(proxies: &[Proxy], front: Option<u16>) -> String {
    if proxies.is_empty() && front.is_none() {
        return String::new();
    }
    let proxies = proxies.iter().map(|proxy| proxy.address().to_string());
    let front = front.map(|port| format!("127.0.0.1:{port}"));
    let trusted = if front.is_some() { "trusted_proxies = [\"127.0.0.1/32\"]\n" } else { "" };
    let names: Vec<_> = std::iter::once("127.0.0.1".to_owned()).chain(proxies).chain(front).collect();
    format!("public_names = {names:?}\n{trusted}")
}

/// The environment of a program whose wall clock shows something else. How long things take stays as it is.
fn another_time(offset: &str) -> [(&'static str, String); 3] {
    let library = glob::glob("/usr/lib/*/faketime/libfaketimeMT.so.1").expect("a pattern").flatten().next();
    let library = library.expect("libfaketime is not installed; `cargo xtask test --only install` does it");
    [
        ("LD_PRELOAD", library.to_str().expect("a path that is text").to_owned()),
        ("FAKETIME", offset.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// A folder whose name is in everything that the fleet starts.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("ffleet-test-").tempdir().expect("a temporary folder")
}

/// A command with nothing of our own environment in it but what programs need, and the mark of this fleet.
pub(crate) fn clean(program: &Path, dir: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.env_clear().current_dir(dir);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", dir).env(MARKER, dir).env("RUST_BACKTRACE", "1");
    command
}
