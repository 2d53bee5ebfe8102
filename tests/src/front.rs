//! HAProxy as operators have it: the very file of `deploy/haproxy`, with other addresses in it.

use std::net::SocketAddr;

use ffleet_servers::free_port;

use crate::repository;

/// The file for a front at this port of 127.0.0.1, with these coordinators behind it. What stands for databases and brokers
/// leads nowhere.
pub(crate) fn config(port: u16, coordinators: &[SocketAddr]) -> String {
    let path = repository().join("deploy/haproxy/haproxy.cfg");
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut replace = |from: &str, to: &str| {
        assert!(text.contains(from), "deploy/haproxy/haproxy.cfg has no {from:?} any more");
        text = text.replace(from, to);
    };
    replace("bind :8461", &format!("bind 127.0.0.1:{port}"));
    for (n, shipped) in ["10.0.0.11:8461", "10.0.0.12:8461", "10.0.0.13:8461"].iter().enumerate() {
        let address = coordinators.get(n).map_or_else(nowhere, SocketAddr::to_string);
        replace(shipped, &address);
    }
    for shipped in ["bind :3307", "bind :5672", "bind 127.0.0.1:8404"] {
        replace(shipped, &format!("bind {}", nowhere()));
    }
    for n in 1..=3 {
        replace(&format!("10.0.0.2{n}:3306 port 9200"), &format!("{} port {}", nowhere(), free_port()));
        replace(&format!("10.0.0.3{n}:5672"), &nowhere());
    }
    // A file would stay behind.
    replace("stats socket /run/haproxy/admin.sock mode 660", &format!("stats socket ipv4@{}", nowhere()));
    text
}

fn nowhere() -> String {
    format!("127.0.0.1:{}", free_port())
}
