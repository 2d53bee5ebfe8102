//! HAProxy as operators have it: the very file of `deploy/haproxy`, with other addresses in it.

use std::net::SocketAddr;

use ffleet_servers::free_port;

use crate::repository;

/// What is behind it. The rest leads nowhere.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    /// The front's port, and the coordinators.
    pub(crate) coordinators: Option<(u16, Vec<SocketAddr>)>,
    /// The front's port, and the port of each node and of its check.
    pub(crate) galera: Option<(u16, [(u16, u16); 3])>,
}

/// The file for a front on 127.0.0.1.
pub(crate) fn config(behind: &Behind) -> String {
    let path = repository().join("deploy/haproxy/haproxy.cfg");
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut replace = |from: &str, to: &str| {
        assert!(text.contains(from), "deploy/haproxy/haproxy.cfg has no {from:?} any more");
        text = text.replace(from, to);
    };
    let bind =
        |port: Option<u16>| port.map_or_else(|| format!("bind {}", nowhere()), |port| format!("bind 127.0.0.1:{port}"));
    replace("bind :8461", &bind(behind.coordinators.as_ref().map(|(port, _)| *port)));
    let coordinators = behind.coordinators.as_ref().map_or(&[][..], |(_, all)| all);
    for (n, shipped) in ["10.0.0.11:8461", "10.0.0.12:8461", "10.0.0.13:8461"].iter().enumerate() {
        replace(shipped, &coordinators.get(n).map_or_else(nowhere, SocketAddr::to_string));
    }
    replace("bind :3307", &bind(behind.galera.map(|(port, _)| port)));
    for n in 0..3 {
        let (node, check) = behind.galera.map_or_else(|| (free_port(), free_port()), |(_, nodes)| nodes[n]);
        replace(&format!("10.0.0.2{}:3306 port 9200", n + 1), &format!("127.0.0.1:{node} port {check}"));
    }
    replace("bind :5672", &bind(None));
    for n in 1..=3 {
        replace(&format!("10.0.0.3{n}:5672"), &nowhere());
    }
    replace("bind 127.0.0.1:8404", &bind(None));
    // A file would stay behind.
    replace("stats socket /run/haproxy/admin.sock mode 660", &format!("stats socket ipv4@{}", nowhere()));
    text
}

fn nowhere() -> String {
    format!("127.0.0.1:{}", free_port())
}
