//! Requests in shapes that two readers may understand differently. Whatever is ambiguous is refused, and nothing behind it
//! on the same connection is looked at.

use ffleet_protocol::state::Role;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::server::{PATIENCE, Request, Server, Signer};

const SPEC: &str = r#"{"args":["-version"]}"#;

/// A good request to submit a job, on a connection that stays open.
fn submit(signer: &Signer) -> Request {
    signer.post("/v1/jobs", SPEC).without("connection")
}

/// How many answers there are.
fn answers(said: &str) -> usize {
    said.matches("HTTP/1.1 ").count()
}

#[actix_web::test]
async fn what_is_ambiguous_is_refused_with_all_that_follows_it() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let behind = submit(&alice).bytes();
    let mut witness = server.witness().await;
    let chunked = format!("{:x}\r\n{SPEC}\r\n0\r\n\r\n", SPEC.len());
    let length = SPEC.len();
    for (shape, framing, body) in [
        ("a length and chunks", format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), SPEC),
        ("chunks and a length", "Transfer-Encoding: chunked\r\nContent-Length: 4".to_owned(), &chunked),
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 0"), SPEC),
        ("the same length twice", format!("Content-Length: {length}\r\nContent-Length: {length}"), SPEC),
        ("a list of lengths", format!("Content-Length: {length}, {length}"), SPEC),
        ("a signed length", format!("Content-Length: +{length}"), SPEC),
        ("a negative length", "Content-Length: -1".to_owned(), SPEC),
        ("a length in hexadecimal", "Content-Length: 0x15".to_owned(), SPEC),
        ("a length beyond all numbers", "Content-Length: 18446744073709551617".to_owned(), SPEC),
        ("a length with a space inside", "Content-Length: 2 1".to_owned(), SPEC),
        ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked".to_owned(), &chunked),
        ("another coding", "Transfer-Encoding: gzip, chunked".to_owned(), &chunked),
        ("chunks that are not last", "Transfer-Encoding: chunked, identity".to_owned(), &chunked),
        ("almost chunks", "Transfer-Encoding: xchunked".to_owned(), &chunked),
        ("chunks behind a control character", "Transfer-Encoding: \u{b}chunked".to_owned(), &chunked),
        ("chunks in quotes", "Transfer-Encoding: \"chunked\"".to_owned(), &chunked),
        ("a space before the colon", "Transfer-Encoding : chunked".to_owned(), &chunked),
        ("a folded line", "Transfer-Encoding:\r\n chunked".to_owned(), &chunked),
        ("a folded length", format!("Content-Length:\r\n {length}"), SPEC),
        ("a name that is none", format!("Content\u{0}-Length: {length}"), SPEC),
        ("a NUL in a value", format!("X: a\u{0}b\r\nContent-Length: {length}"), SPEC),
        ("a carriage return in a value", format!("X: a\rContent-Length: {length}"), SPEC),
        ("a second host", format!("Host: elsewhere\r\nContent-Length: {length}"), SPEC),
        ("a chunk of no size", "Transfer-Encoding: chunked".to_owned(), "\r\n\r\n"),
        ("a chunk of a negative size", "Transfer-Encoding: chunked".to_owned(), "-1\r\n\r\n"),
        ("a chunk beyond all numbers", "Transfer-Encoding: chunked".to_owned(), "fffffffffffffffff\r\n"),
        (
            "a chunk that is longer than said",
            "Transfer-Encoding: chunked".to_owned(),
            "1\r\n{\"args\":[]}\r\n0\r\n\r\n",
        ),
    ] {
        let mut head = String::from_utf8(Request { body: Vec::new(), ..submit(&alice) }.head()).unwrap();
        head.truncate(head.len() - "\r\n".len());
        let first = format!("{head}{framing}\r\n\r\n{body}");
        let said = server.talk(&[first.as_bytes(), &behind].concat()).await;
        // A body that falls apart on its way may end the connection without a word.
        let refused = said.starts_with("HTTP/1.1 400 ") || said.starts_with("HTTP/1.1 401 ") || said.is_empty();
        assert!(refused && answers(&said) <= 1, "{shape}: {said}");
        witness.nothing_changed(shape).await;
    }
}

#[actix_web::test]
async fn nothing_behind_a_refused_request_is_looked_at() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let worker = server.account("box", Role::Worker).await;
    let behind = submit(&alice).bytes();
    let mut witness = server.witness().await;
    let unsigned =
        |line: &str, more: &str| format!("{line} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", server.address).into_bytes();
    let with_body = |request: Request| request.without("connection").bytes();
    for (shape, first) in [
        ("no signature", unsigned("GET /v1/jobs", "")),
        ("no signature, with a body", [unsigned("POST /v1/jobs", "content-length: 2\r\n"), b"{}".to_vec()].concat()),
        ("no such path", unsigned("GET /v1/nothing", "")),
        ("no such method", unsigned("PATCH /v1/jobs", "")),
        ("no method of HTTP", unsigned("FROB /v1/jobs", "")),
        ("to everybody", unsigned("OPTIONS *", "")),
        ("a tunnel", unsigned("CONNECT localhost:1", "")),
        ("another protocol", unsigned("GET /v1/jobs", "connection: upgrade\r\nupgrade: websocket\r\n")),
        ("HTTP/2 without being asked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("no version", b"GET /v1/jobs\r\n\r\n".to_vec()),
        ("an old version", b"POST /v1/jobs HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".to_vec()),
        ("no host", b"GET /v1/jobs HTTP/1.1\r\n\r\n".to_vec()),
        ("another host in the line", unsigned("GET http://elsewhere/v1/jobs", "")),
        ("a machine's question", unsigned("GET /health/live", "")),
        ("a wrong role, the body unread", with_body(worker.post("/v1/jobs", SPEC))),
        ("another body than was signed", with_body(alice.post("/v1/jobs", "{}").with_body("[]"))),
        ("a body where none is taken", with_body(alice.post("/v1/jobs/7/cancel", SPEC))),
        ("a length shorter than the body", with_body(submit(&alice).set("content-length", "5"))),
        ("no length at all", {
            let mut head = Request { body: Vec::new(), ..submit(&alice) }.head();
            head.extend_from_slice(SPEC.as_bytes());
            head
        }),
    ] {
        let said = server.talk(&[first, behind.clone()].concat()).await;
        let first_line = said.lines().next().unwrap_or_default().to_owned();
        assert!(!said.contains("HTTP/1.1 201"), "{shape}: {said}");
        assert!(said.contains("connection: close") || answers(&said) <= 1, "{shape}: {first_line}");
        witness.nothing_changed(shape).await;
    }
}

#[actix_web::test]
async fn good_requests_share_a_connection() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let last = alice.post("/v1/jobs", SPEC).bytes();
    let said = server.talk(&[submit(&alice).bytes(), submit(&alice).bytes(), last].concat()).await;
    assert_eq!(said.matches("HTTP/1.1 201").count(), 3, "{said}");
}

#[actix_web::test]
async fn a_header_cannot_be_smuggled_into_another_one() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let mut witness = server.witness().await;
    for (name, value) in [
        ("x", "a\r\nidempotency-key: k"),
        ("x", "a\nidempotency-key: k"),
        ("x", "a\r\ncontent-digest: sha-256=:AAAA:"),
        ("content-digest", "sha-256=:AAAA:"),
        ("x", "a\r\nx-forwarded-for: 127.0.0.1\r\nsignature: ffleet=:AAAA:"),
    ] {
        let mut request = submit(&alice);
        request.headers.push((name.to_owned(), value.to_owned()));
        let said = server.talk(&request.bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400") || said.starts_with("HTTP/1.1 401"), "{value:?}: {said}");
        witness.nothing_changed(value).await;
    }
}

#[actix_web::test]
async fn a_body_that_breaks_off_is_no_request() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let mut witness = server.witness().await;
    for request in [
        submit(&alice).set("content-length", "1000"),
        Request { body: format!("{:x}\r\n{SPEC}\r\n", SPEC.len()).into_bytes(), ..submit(&alice) }
            .set("transfer-encoding", "chunked"),
    ] {
        let mut connection = TcpStream::connect(&server.address).await.unwrap();
        connection.write_all(&request.bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut said = String::new();
        timeout(PATIENCE, connection.read_to_string(&mut said)).await.unwrap().unwrap();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
        witness.nothing_changed("half a body").await;
    }
}

#[actix_web::test]
async fn every_path_says_which_methods_it_takes() {
    let server = Server::start().await;
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
    for (path, item) in ffleet_coordinator::http::openapi().paths.paths {
        let described = [("GET", item.get), ("POST", item.post), ("PUT", item.put), ("DELETE", item.delete)];
        let taken: Vec<_> = described.iter().filter(|(_, known)| known.is_some()).map(|(method, _)| *method).collect();
        let target = path.replace("{id}", "x");
        for method in methods.iter().filter(|method| !taken.contains(method)) {
            let text = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
            let said = server.talk(text.as_bytes()).await;
            if *method == "HEAD" && path.starts_with("/health/") {
                assert!(said.starts_with("HTTP/1.1 200"), "{said}");
                continue;
            }
            assert!(said.starts_with("HTTP/1.1 405"), "{method} {path}: {said}");
            let allow = said.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap_or_default();
            assert!(taken.iter().all(|method| allow.contains(method)), "{method} {path}: {said}");
            assert!(*method == "HEAD" || said.contains("\"code\":\"method_not_allowed\""), "{said}");
        }
    }
}
