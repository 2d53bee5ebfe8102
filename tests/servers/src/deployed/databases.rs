//! MariaDB and Galera with the files of `deploy/mariadb`.

use std::{fs, path::PathBuf};

use nix::unistd::{User, geteuid};

use super::certificates;
use crate::{
    Authority, Galera, MariaDb, Node, PASSWORD, Shipped, USER, ports::free_port, process::start_anew,
    programs::galera_library,
};

/// Times after which a node that says nothing counts as gone, shorter than by default, so that nobody waits for them.
const IMPATIENT: &str =
    "evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT6S";

impl MariaDb {
    /// One with `ffleet.cnf`, encryption and `users.sql`, whose certificate is made for these names.
    #[must_use]
    pub fn deployed(authority: &Authority, names: &[&str]) -> Self {
        start_anew(|| {
            let server = Self::place("mariadb", free_port());
            certificates(&server, authority, names);
            let file = configured(&server, None);
            let server = server.with_file(&file, Vec::new());
            server.begin(&[])?;
            accounts(&server);
            Ok(server)
        })
    }

    /// The address of the database of `users.sql` when this machine is called `host`, without a password.
    #[must_use]
    pub fn deployed_url(&self, host: &str) -> String {
        format!("mysql://{USER}@{host}:{}/ffleet", self.port())
    }

    /// The file with the account of `galera-check` for this server.
    #[must_use]
    pub fn check_account(&self) -> PathBuf {
        let file = Shipped::read("mariadb/galera-check.cnf").with("CHANGE-ME-2", PASSWORD);
        let file = file.with("/run/mysqld/mysqld.sock", &self.socket().display().to_string());
        self.file("galera-check.cnf", file.text())
    }
}

impl Galera {
    /// A cluster with `ffleet.cnf` and `galera.cnf`, everything between its nodes encrypted, and `users.sql`.
    #[must_use]
    pub fn deployed(authority: &Authority) -> Self {
        start_anew(|| Self::begin(nodes(authority), accounts))
    }
}

/// Three nodes that know of each other and are not started yet.
fn nodes(authority: &Authority) -> [Node; 3] {
    let groups = [free_port(), free_port(), free_port()];
    let addresses = groups.map(|port| format!("127.0.0.1:{port}")).join(",");
    [0, 1, 2].map(|n| {
        let server = MariaDb::place("galera", free_port());
        certificates(&server, authority, &["localhost", "127.0.0.1"]);
        let (group, increment, whole) = (groups[n], free_port(), free_port());
        let places = format!(
            "gcache.size=64M;base_host=127.0.0.1;base_port={group};gmcast.listen_addr=ssl://127.0.0.1:{group};\
             ist.recv_addr=127.0.0.1:{increment};ist.recv_bind=127.0.0.1:{increment};pc.recovery=false;{IMPATIENT}"
        );
        let file = Shipped::read("mariadb/galera.cnf")
            .with("/usr/lib/galera/libgalera_smm.so", &galera_library().display().to_string())
            .with("gcomm://10.0.0.21,10.0.0.22,10.0.0.23", &format!("gcomm://{addresses}"))
            .with("wsrep_node_name = db1", &format!("wsrep_node_name = db{}", n + 1))
            .with("wsrep_node_address = 10.0.0.21", &format!("wsrep_node_address = 127.0.0.1:{group}"))
            .taking_in(&["wsrep_provider_options", "encrypt = 4", "tkey", "tcert", "tca"])
            .with("gcache.size=1G", &places)
            .with("/etc/mysql/tls", &server.folder().display().to_string());
        let file = configured(&server, Some(&file));
        Node { server: server.with_file(&file, vec![format!("--wsrep-sst-receive-address=127.0.0.1:{whole}")]) }
    })
}

/// A file that reads the others as Debian's own does, in the order of their names.
fn configured(server: &MariaDb, galera: Option<&Shipped>) -> PathBuf {
    let folder = server.folder().join("conf.d");
    fs::create_dir(&folder).expect("our own folder");
    let file = Shipped::read("mariadb/ffleet.cnf")
        .with("bind-address = 0.0.0.0", "bind-address = 127.0.0.1")
        .with("port = 3306", &format!("port = {}", server.port()))
        .with("innodb_buffer_pool_size = 2G", "innodb_buffer_pool_size = 64M")
        .with("innodb_log_file_size = 1G", "innodb_log_file_size = 32M")
        .taking_in(&["ssl_cert", "ssl_key", "ssl_ca", "require_secure_transport"])
        .with("/etc/mysql/tls", &server.folder().display().to_string());
    server.file("conf.d/70-ffleet.cnf", file.text());
    if let Some(file) = galera {
        server.file("conf.d/71-galera.cnf", file.text());
    }
    server.file("my.cnf", &format!("!includedir {}\n", folder.display()))
}

/// The accounts of `users.sql`, and none besides.
fn accounts(server: &MariaDb) {
    server.sql(&format!("DROP USER '{USER}'@'%'"));
    let mut users = Shipped::read("mariadb/users.sql")
        .with("10.0.0.%", "127.0.0.%")
        .with("CHANGE-ME-1", PASSWORD)
        .with("CHANGE-ME-2", PASSWORD);
    if let (false, Ok(Some(me))) = (geteuid().is_root(), User::from_uid(geteuid())) {
        // Whoever runs the server is known to it by that name.
        users = users.with("'mysql'@'localhost'", &format!("'{}'@'localhost'", me.name));
    }
    server.sql(users.text());
}
