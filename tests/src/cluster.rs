//! A Galera cluster as operators have it: HAProxy in front with the file of `deploy/haproxy`, and beside each node the check of
//! `deploy/mariadb` that it asks.

use std::{
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use ffleet_servers::{Galera, HaProxy, PASSWORD, USER, free_port};
use tempfile::TempDir;

use crate::{front, repository};

/// Times after which a node that says nothing counts as gone, shorter than by default.
const IMPATIENT: &str =
    "evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT6S";

/// Three nodes, one of which is in use.
pub struct Cluster {
    /// The nodes.
    pub galera: Galera,
    port: u16,
    front: HaProxy,
    config: String,
    _accounts: TempDir,
}

impl Cluster {
    /// Starts the nodes and what is in front of them. Takes a while, and blocks.
    #[must_use]
    pub fn start() -> Self {
        let galera = Galera::with(&[], IMPATIENT);
        let accounts = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let nodes = galera.nodes().each_ref().map(|node| (node.port(), check(accounts.path(), node.port())));
        let config = front::config(&front::Behind { galera: Some((port, nodes)), ..front::Behind::default() });
        let front = HaProxy::start(&config);
        Self { galera, port, front, config, _accounts: accounts }
    }

    /// HAProxy begins anew with the same file. It forgets which node was in use.
    pub fn reload(&self) {
        self.front.reload(&self.config);
    }

    /// A new database, by way of HAProxy.
    #[must_use]
    pub fn database(&self) -> String {
        let [url, ..] = self.galera.database();
        let mut url: url::Url = url.parse().expect("a URL");
        url.set_port(Some(self.port)).expect("a URL with a host");
        url.into()
    }
}

/// Answers for a node as systemd's socket has the check do: started for each question, with the connection as its input and
/// output.
fn check(folder: &Path, node: u16) -> u16 {
    let account = folder.join(format!("{node}.cnf"));
    let text =
        format!("[client]\nuser = {USER}\npassword = {PASSWORD}\nhost = 127.0.0.1\nport = {node}\nprotocol = tcp\n");
    std::fs::write(&account, text).expect("a file for the account");
    let script = repository().join("deploy/mariadb/galera-check");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (script, account) = (script.clone(), account.clone());
            thread::spawn(move || answer(connection, &script, &account));
        }
    });
    port
}

fn answer(connection: TcpStream, script: &Path, account: &Path) {
    let Ok(output) = connection.try_clone() else { return };
    let mut command = Command::new("sh");
    command.arg(script).env("GALERA_CHECK_DEFAULTS", account);
    command.stdin(OwnedFd::from(connection)).stdout(OwnedFd::from(output)).stderr(Stdio::null());
    // Whoever asked sees what comes of it.
    drop(command.status());
}
