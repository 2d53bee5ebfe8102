//! HAProxy with the file of `deploy/haproxy`, and what it asks of a database node.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use crate::{Shipped, ports::free_port};

/// What HAProxy listens at, and what is behind it. What is left away leads nowhere.
#[derive(Debug, Default)]
pub struct Front {
    /// The port for callers, and the coordinators.
    pub coordinators: Option<(u16, Vec<SocketAddr>)>,
    /// A folder with `front.pem` for callers and `ca.pem` for coordinators: then the port for callers is the encrypted one,
    /// and coordinators must prove that they are `localhost`.
    pub certificates: Option<PathBuf>,
    /// The port for coordinators, and the port of each node and of its check.
    pub galera: Option<(u16, [(u16, u16); 3])>,
    /// The port for coordinators, and the broker's.
    pub rabbitmq: Option<(u16, u16)>,
    /// The port of the statistics.
    pub statistics: Option<u16>,
}

impl Front {
    /// The file, for this machine.
    #[must_use]
    pub fn config(&self) -> String {
        let bind = |port: Option<u16>| format!("bind 127.0.0.1:{}", port.unwrap_or_else(free_port));
        let callers = self.coordinators.as_ref().map(|(port, _)| *port);
        let mut file = Shipped::read("haproxy/haproxy.cfg");
        file = match &self.certificates {
            None => file.with("bind :8461", &bind(callers)),
            Some(folder) => {
                let folder = folder.display();
                let tls = format!("{} ssl crt {folder}/front.pem", bind(callers));
                let verified = format!("ssl verify required ca-file {folder}/ca.pem verifyhost localhost");
                file.with("bind :8461", &bind(None))
                    .with("# bind :8443 ssl crt /etc/haproxy/ffleet.pem", &tls)
                    .with("default-server check inter 300ms", &format!("default-server {verified} check inter 300ms"))
            }
        };
        let coordinators = self.coordinators.as_ref().map_or(&[][..], |(_, all)| all);
        for (n, shipped) in ["10.0.0.11:8461", "10.0.0.12:8461", "10.0.0.13:8461"].iter().enumerate() {
            file = file.with(shipped, &coordinators.get(n).map_or_else(nowhere, SocketAddr::to_string));
        }
        file = file.with("bind :3307", &bind(self.galera.map(|(port, _)| port)));
        for n in 0..3 {
            let (node, check) = self.galera.map_or_else(|| (free_port(), free_port()), |(_, nodes)| nodes[n]);
            file = file.with(&format!("10.0.0.2{}:3306 port 9200", n + 1), &format!("127.0.0.1:{node} port {check}"));
        }
        file = file.with("bind :5672", &bind(self.rabbitmq.map(|(port, _)| port)));
        let broker = self.rabbitmq.map_or_else(nowhere, |(_, broker)| format!("127.0.0.1:{broker}"));
        file =
            file.with("10.0.0.31:5672", &broker).with("10.0.0.32:5672", &nowhere()).with("10.0.0.33:5672", &nowhere());
        file = file.with("bind 127.0.0.1:8404", &bind(self.statistics));
        // A file would stay behind.
        file = file.with("stats socket /run/haproxy/admin.sock mode 660", &format!("stats socket ipv4@{}", nowhere()));
        file.text().to_owned()
    }
}

fn nowhere() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Answers for a node as `galera-check.socket` has the check do: started for each question, with the connection as its input
/// and output. `account` is its file.
#[must_use]
pub fn galera_check(account: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let account = account.clone();
            thread::spawn(move || answer(connection, &account));
        }
    });
    port
}

fn answer(connection: TcpStream, account: &Path) {
    let Ok(output) = connection.try_clone() else { return };
    let mut command = Command::new("sh");
    command.arg("-c").arg(Shipped::read("mariadb/galera-check").text()).env("GALERA_CHECK_DEFAULTS", account);
    command.stdin(OwnedFd::from(connection)).stdout(OwnedFd::from(output)).stderr(Stdio::null());
    // Whoever asked sees what comes of it.
    drop(command.status());
}
