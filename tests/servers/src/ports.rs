//! Ports that nobody else takes.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

/// Below it live the servers of the machine.
const LOWEST: u16 = 12_000;

/// The ports that are ours until this program ends, each as the socket that says so to other test programs.
static OURS: Mutex<Vec<UnixDatagram>> = Mutex::new(Vec::new());

/// How many ports have been tried.
static TRIED: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that nobody listens on, and that no other test program is given while this one runs.
///
/// It lies below the ports that the system gives to outgoing connections. Otherwise such a connection could sit on the
/// port of a server that is dead for a moment, and the server could not come back.
#[must_use]
pub fn free_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let end = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768);
    assert!(end > LOWEST + 1000, "ip_local_port_range leaves no ports for tests: {range}");
    let count = end - LOWEST;
    // Programs that start together begin their search at different places.
    let begin = u16::try_from(u64::from(process::id()) * 97 % u64::from(count)).expect("less than a port");
    for _ in 0..count {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let port = LOWEST + u16::try_from((u32::from(begin) + u32::from(tried)) % u32::from(count)).expect("a port");
        if let Some(claim) = claim(port)
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        {
            OURS.lock().unwrap().push(claim);
            return port;
        }
    }
    panic!("there is no free port between {LOWEST} and {end}");
}

/// An abstract socket belongs to one program, and goes with it. Like a port, it belongs to a network namespace.
fn claim(port: u16) -> Option<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(format!("ffleet-test-port-{port}")).expect("a short name");
    UnixDatagram::bind_addr(&name).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: BTreeSet<_> = (0..100).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 100);
        assert!(ports.iter().all(|port| claim(*port).is_none()), "another program could take one");
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        let taken: Vec<_> =
            (0..50).filter_map(|n| TcpListener::bind((Ipv4Addr::LOCALHOST, free_port() + n)).ok()).collect();
        let taken: BTreeSet<_> = taken.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!((0..100).all(|_| !taken.contains(&free_port())));
    }
}
