//! A coordinator of the fleet.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::{Process, places::program, setup::clean};

/// The folder of a small disk for the database.
pub(crate) const SMALL_DISK: &str = "db";

/// What it says when it serves.
const LISTENS: &str = "listening on http";
/// As in its unit, between an end and the next start.
const PAUSE: Duration = Duration::from_secs(2);
/// How long it may need others to begin.
const REVIVED: Duration = Duration::from_secs(120);

/// A coordinator; clones are the same one. It keeps its port over restarts.
#[derive(Clone)]
pub struct Coordinator(Arc<Inner>);

struct Inner {
    name: String,
    dir: PathBuf,
    config: PathBuf,
    url: Url,
    server: Server,
    process: Mutex<Process>,
}

/// Which program serves, and what its environment holds beyond the usual.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) program: &'static str,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Default for Server {
    fn default() -> Self {
        Self { program: "ffleet-coordinator", environment: Vec::new() }
    }
}

impl Coordinator {
    pub(crate) async fn start(dir: &Path, name: &str, more: [&str; 3], server: Server) -> Self {
        let config = configure(dir, name, "127.0.0.1:0", more);
        let (process, url) = serve(dir, name, &config, &server).await;
        // From now on with the port it got, so that whoever knows the address finds it again after a restart.
        let address = format!("127.0.0.1:{}", url.port().expect("an address with a port"));
        configure(dir, name, &address, more);
        let (name, dir, process) = (name.to_owned(), dir.to_owned(), Mutex::new(process));
        Self(Arc::new(Inner { name, dir, config, url, server, process }))
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> Url {
        self.0.url.clone()
    }

    /// The same, for a proxy.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let address = self.0.url.socket_addrs(|| None).expect("an address of numbers");
        address[0]
    }

    /// The process it is now.
    #[must_use]
    pub fn process(&self) -> Process {
        self.0.process.lock().unwrap().clone()
    }

    /// What it answers to machines nearby that ask without a signature: the status and the body.
    pub async fn asked(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let host = self.address();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status line");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("a body");
        (status, body)
    }

    /// Kills it without a word.
    pub async fn kill9(&self) {
        self.process().kill9().await;
    }

    /// Starts it again, at the same address, after it has ended.
    pub async fn restart(&self) {
        assert!(!self.process().is_alive(), "{} still runs", self.0.name);
        let (process, url) = serve(&self.0.dir, &self.0.name, &self.0.config, &self.0.server).await;
        assert_eq!(url, self.0.url, "{} came back elsewhere", self.0.name);
        *self.0.process.lock().unwrap() = process;
    }

    /// The same as systemd does it: one that cannot begin, because its database is away, is started again after a while.
    pub async fn revive(&self) {
        let deadline = Instant::now() + REVIVED;
        loop {
            let process = start(&self.0.dir, &self.0.name, &self.0.config, &self.0.server);
            *self.0.process.lock().unwrap() = process.clone();
            if process.may_say(LISTENS).await.is_some() {
                return;
            }
            assert!(!process.is_alive() && Instant::now() < deadline, "{} does not come back", self.0.name);
            tokio::time::sleep_until((Instant::now() + PAUSE).into()).await;
        }
    }
}

/// Where the file of a fleet's database lies: on its small disk, if it has one.
pub(crate) fn database_file(dir: &Path) -> String {
    let small = dir.join(SMALL_DISK);
    let folder = if small.is_dir() { &small } else { dir };
    folder.join("ffleet.db").to_str().expect("a path that is text").to_owned()
}

/// Writes a coordinator's configuration: the database, `keys` without a section, then `sections`.
pub(crate) fn configure(dir: &Path, name: &str, listen: &str, [database, keys, sections]: [&str; 3]) -> PathBuf {
    let path = dir.join(format!("{name}.toml"));
    let url = if database.contains("://") { database.to_owned() } else { format!("sqlite://{database}") };
    let text = format!(
        "listen = \"{listen}\"\n{keys}\n[database]\nurl = \"{url}\"\n\n[master_key]\nfile = \"{key}\"\n\n{sections}",
        key = dir.join("keys/master.key").display(),
    );
    fs::write(&path, text).unwrap();
    path
}

/// Runs `ffleet-coordinator` for something other than serving; it must end well.
pub(crate) async fn command_line(dir: &Path, config: &Path, args: &[&str]) -> String {
    let name = format!("ffleet-coordinator {}", args.join(" "));
    let mut command = clean(&program("ffleet-coordinator"), dir);
    command.env("FFLEET_COORDINATOR_CONFIG", config).args(args);
    let process = Process::start(&name, &mut command, &dir.join("logs/bootstrap.log"));
    let ended = process.finished().await;
    assert_eq!(ended.code, 0, "{name} failed:\n{}", process.said());
    String::from_utf8(ended.stdout).unwrap()
}

fn start(dir: &Path, name: &str, config: &Path, server: &Server) -> Process {
    let mut command = clean(&program(server.program), dir);
    // No load balancer has to notice, as a rule, and hundreds of fleets would each wait for it.
    command.env("FFLEET_COORDINATOR_TIMING__LINGER_S", "0");
    command.env("FFLEET_COORDINATOR_CONFIG", config).envs(server.environment.iter().cloned()).arg("serve");
    Process::start(name, &mut command, &dir.join("logs").join(format!("{name}.log")))
}

async fn serve(dir: &Path, name: &str, config: &Path, server: &Server) -> (Process, Url) {
    let process = start(dir, name, config, server);
    let line = process.says(LISTENS).await;
    let url = line.split([' ', '"', ',']).find(|word| word.starts_with("http") && word.contains("://"));
    let url = url.and_then(|url| url.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"));
    (process, url)
}
