//! Behind a proxy.

use ffleet_coordinator::config::Config;
use ffleet_protocol::state::Role;

use crate::server::{Server, refused};

#[actix_web::test]
async fn forwarded_addresses_count_when_the_proxy_is_trusted() {
    let trusting = Config { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() };
    for (config, status) in [(trusting, 200), (Config::default(), 401)] {
        let server = Server::with(config).await;
        let far = server.account_from("far", Role::Client, &["192.0.2.0/24"]).await;
        let through = |address: &str| far.get("/v1/jobs").set("x-forwarded-for", address);
        assert_eq!(server.send(&through("192.0.2.7")).await.status, status);
        assert_eq!(server.send(&through("192.0.2.7, 198.51.100.1")).await.refusal(), refused(401, "unauthorized"));
        assert_eq!(server.send(&far.get("/v1/jobs")).await.refusal(), refused(401, "unauthorized"));
    }
}

#[actix_web::test]
async fn machines_from_elsewhere_find_nothing() {
    let config = Config { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() };
    let server = Server::with(config).await;
    for path in ["/health/live", "/health/ready", "/openapi.json"] {
        let text =
            format!("GET {path} HTTP/1.1\r\nhost: lb\r\nx-forwarded-for: 203.0.113.5\r\nconnection: close\r\n\r\n");
        assert_eq!(server.send_bytes(text.as_bytes()).await.refusal(), refused(404, "not_found"), "{path}");
    }
}

#[actix_web::test]
async fn a_prefix_that_the_proxy_strips_is_part_of_what_was_signed() {
    let config = Config { public_base_path: "/fleet".to_owned(), ..Config::default() };
    let server = Server::with(config).await;
    let alice = server.account("alice", Role::Client).await;
    let mut request = alice.get("/fleet/v1/jobs?limit=3");
    request.target = "/v1/jobs?limit=3".to_owned();
    assert_eq!(server.send(&request).await.status, 200);
    assert_eq!(server.send(&alice.get("/v1/jobs?limit=3")).await.refusal(), refused(401, "unauthorized"));
}
