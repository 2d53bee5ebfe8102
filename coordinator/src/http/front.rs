//! The front door: by which names the coordinator is addressed, which path prefix a proxy takes away, and where a caller
//! really comes from.

use std::{
    any::Any,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{
    HttpRequest,
    dev::Extensions,
    http::header::{HOST, HeaderMap},
    rt::net::TcpStream,
};
use ipnet::IpNet;

use crate::config::Config;

/// What decides whether a request is meant for us and whose address it came from.
#[derive(Debug, Clone)]
pub struct Front {
    /// Accepted values of `@authority`, in lower case.
    names: Vec<String>,
    /// Without configured names, the address a connection arrived at is a name too.
    own_addresses: bool,
    /// What a proxy strips from the path, without a slash at its end.
    base_path: String,
    trusted_proxies: Vec<IpNet>,
    machine_networks: Vec<IpNet>,
}

/// The local end of the connection a request came through.
#[derive(Debug, Clone, Copy)]
struct ArrivedAt(SocketAddr);

/// Keeps the local end of a new connection for its requests.
pub fn remember_local_address(connection: &dyn Any, extensions: &mut Extensions) {
    let through_tls = || connection.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
    if let Some(stream) = connection.downcast_ref::<TcpStream>().or_else(through_tls)
        && let Ok(address) = stream.local_addr()
    {
        extensions.insert(ArrivedAt(address));
    }
}

impl Front {
    /// As configured, for a server that listens at `bound`.
    #[must_use]
    pub fn new(config: &Config, bound: SocketAddr) -> Self {
        Self {
            names: names(&config.public_names, bound),
            own_addresses: config.public_names.is_empty(),
            base_path: config.public_base_path.trim_end_matches('/').to_owned(),
            trusted_proxies: config.trusted_proxies.clone(),
            machine_networks: config.machine_networks.clone(),
        }
    }

    /// The `@authority` of a request, if it is one of ours. `None` also stands for a request that has none.
    pub fn authority(&self, request: &HttpRequest) -> Option<String> {
        let asked = asked_authority(request)?.to_ascii_lowercase();
        let arrived = request.conn_data::<ArrivedAt>().map(|at| at.0);
        self.is_ours(&asked, arrived).then_some(asked)
    }

    fn is_ours(&self, asked: &str, arrived: Option<SocketAddr>) -> bool {
        let own_address = |at: SocketAddr| spelled(at.ip(), at.port()).iter().any(|name| name == asked);
        self.names.iter().any(|name| name == asked) || (self.own_addresses && arrived.is_some_and(own_address))
    }

    /// The path as the caller wrote and signed it.
    pub fn path(&self, request: &HttpRequest) -> String {
        format!("{}{}", self.base_path, request.uri().path())
    }

    /// Where the caller is: the other end of the connection or, behind a trusted proxy, the rightmost address in
    /// `X-Forwarded-For` that is no trusted proxy. `None` when a trusted proxy passed on something that is no address.
    pub fn caller_address(&self, request: &HttpRequest) -> Option<IpAddr> {
        self.behind_proxies(request.peer_addr()?.ip(), request.headers())
    }

    fn behind_proxies(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let trusted = |address: IpAddr| self.trusted_proxies.iter().any(|net| net.contains(&address));
        let mut address = peer.to_canonical();
        let lines: Vec<_> = headers.get_all("x-forwarded-for").map(|line| line.to_str().unwrap_or("?")).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            if !trusted(address) {
                break;
            }
            address = hop_address(hop.trim())?.to_canonical();
        }
        Some(address)
    }

    /// Whether machines at this address may look at health and the description of the API.
    pub fn serves_machines_at(&self, address: IpAddr) -> bool {
        self.machine_networks.iter().any(|net| net.contains(&address))
    }
}

/// RFC 9112, 3.2: a request line in absolute form outweighs `Host`. Two hosts are none.
fn asked_authority(request: &HttpRequest) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut hosts = request.headers().get_all(HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

fn names(configured: &[String], bound: SocketAddr) -> Vec<String> {
    let port = bound.port();
    let mut names = Vec::new();
    if configured.is_empty() {
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), bound.ip()] {
            names.extend(spelled(ip, port));
        }
        names.extend(with_port("localhost", port));
        names.extend(host_name().iter().flat_map(|name| with_port(name, port)));
    }
    for name in configured {
        let name = name.trim().to_ascii_lowercase();
        match name.parse::<IpAddr>() {
            Ok(ip) => names.extend(spelled(ip, port)),
            Err(_) if has_port(&name) => names.push(name),
            Err(_) => names.extend(with_port(&name, port)),
        }
    }
    names.dedup();
    names
}

/// An address as it stands in a URL, with its port, and without it where a URL may leave it away.
fn spelled(ip: IpAddr, port: u16) -> Vec<String> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => with_port(&ip.to_string(), port),
        IpAddr::V6(ip) => with_port(&format!("[{ip}]"), port),
    }
}

/// A name without a port is meant for whoever asks at the standard port, perhaps a proxy's, or at ours.
fn with_port(host: &str, port: u16) -> Vec<String> {
    vec![host.to_owned(), format!("{host}:{port}")]
}

fn has_port(name: &str) -> bool {
    name.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

/// Proxies write plain addresses, and some add the port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn front(names: &[&str], trusted: &[&str]) -> Front {
        let bound: SocketAddr = "10.1.2.3:8461".parse().unwrap();
        let names_text: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Front {
            names: self::names(&names_text, bound),
            own_addresses: names.is_empty(),
            base_path: "/fleet".to_owned(),
            trusted_proxies: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            machine_networks: Config::default().machine_networks,
        }
    }

    fn host(name: &str) -> HttpRequest {
        TestRequest::get().uri("/v1/jobs").insert_header((HOST, name)).to_http_request()
    }

    #[test]
    fn without_configured_names_the_listener_s_own_count() {
        let front = front(&[], &[]);
        for ours in ["10.1.2.3:8461", "127.0.0.1:8461", "[::1]:8461", "localhost:8461", "LocalHost:8461", "localhost"] {
            assert_eq!(front.authority(&host(ours)), Some(ours.to_lowercase()), "{ours}");
        }
        for other in ["10.1.2.3:80", "ffleet.example:8461", "localhost:8462", "", "localhost.:8461"] {
            assert_eq!(front.authority(&host(other)), None, "{other}");
        }
        let arrived = "192.168.7.7:8461".parse().ok();
        assert!(front.is_ours("192.168.7.7:8461", arrived));
        assert!(!front.is_ours("192.168.7.8:8461", arrived));
    }

    #[test]
    fn configured_names_are_the_only_ones() {
        let front = front(&["Fleet.Example", "other.example:9000", "2001:db8::1"], &[]);
        for ours in ["fleet.example", "fleet.example:8461", "other.example:9000", "[2001:db8::1]:8461"] {
            assert!(front.authority(&host(ours)).is_some(), "{ours}");
        }
        for other in ["fleet.example:9000", "other.example", "localhost:8461", "127.0.0.1:8461"] {
            assert!(front.authority(&host(other)).is_none(), "{other}");
        }
        assert!(!front.is_ours("192.168.7.7:8461", "192.168.7.7:8461".parse().ok()));
    }

    #[test]
    fn two_hosts_are_none_and_an_absolute_request_line_wins() {
        let front = front(&[], &[]);
        let twice = TestRequest::get().append_header((HOST, "localhost")).append_header((HOST, "localhost"));
        assert_eq!(front.authority(&twice.to_http_request()), None);
        let absolute = TestRequest::get().uri("http://localhost:8461/v1/jobs").insert_header((HOST, "evil"));
        assert_eq!(front.authority(&absolute.to_http_request()).as_deref(), Some("localhost:8461"));
    }

    #[test]
    fn the_stripped_prefix_is_put_back() {
        let request = TestRequest::get().uri("/v1/jobs/%41?x=1").to_http_request();
        assert_eq!(front(&[], &[]).path(&request), "/fleet/v1/jobs/%41");
    }

    fn from(front: &Front, peer: &str, forwarded: &[&str]) -> Option<String> {
        let mut request = TestRequest::get().peer_addr(format!("{peer}:999").parse().unwrap());
        for line in forwarded {
            request = request.append_header(("x-forwarded-for", *line));
        }
        front.caller_address(&request.to_http_request()).map(|address| address.to_string())
    }

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
        let front = front(&[], &["10.0.0.0/8", "fd00::/8"]);
        let is = |peer: &str, forwarded: &[&str], expected: &str| {
            assert_eq!(from(&front, peer, forwarded).as_deref(), Some(expected), "{peer} {forwarded:?}");
        };
        is("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        is("10.0.0.1", &[], "10.0.0.1");
        is("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        // What the caller wrote itself stands further left and is not believed.
        is("10.0.0.1", &["192.0.2.66, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
        is("10.0.0.1", &["192.0.2.66", "198.51.100.1"], "198.51.100.1");
        is("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
        is("[fd00::1]", &["[2001:db8::5]:1234"], "2001:db8::5");
        is("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        is("[::ffff:10.0.0.1]", &["::ffff:198.51.100.1"], "198.51.100.1");
        // Words to the left of the answer do not matter; words where the answer must be leave us without one.
        is("10.0.0.1", &["unknown, 198.51.100.1"], "198.51.100.1");
        assert_eq!(from(&front, "10.0.0.1", &["198.51.100.1, unknown"]), None);
    }

    #[test]
    fn machines_are_near() {
        let front = front(&[], &[]);
        for (address, near) in [("127.0.0.1", true), ("192.168.3.4", true), ("::1", true), ("8.8.8.8", false)] {
            assert_eq!(front.serves_machines_at(address.parse().unwrap()), near, "{address}");
        }
    }
}
