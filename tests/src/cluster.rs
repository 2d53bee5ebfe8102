//! A Galera cluster as operators have it: HAProxy in front with the file of `deploy/haproxy`, and beside each node the check of
//! `deploy/mariadb` that it asks.

use std::path::Path;

use ffleet_servers::{Front, Galera, HaProxy, PASSWORD, USER, free_port, galera_check};
use tempfile::TempDir;

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
        let config = Front { galera: Some((port, nodes)), ..Front::default() }.config();
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

/// The check of a node, with the account that tests use.
fn check(folder: &Path, node: u16) -> u16 {
    let account = folder.join(format!("{node}.cnf"));
    let text =
        format!("[client]\nuser = {USER}\npassword = {PASSWORD}\nhost = 127.0.0.1\nport = {node}\nprotocol = tcp\n");
    std::fs::write(&account, text).expect("a file for the account");
    galera_check(account)
}
