//! Bodies that are refused by the head. Nobody can make the coordinator read on and on.

use std::time::Duration;

use ffleet_protocol::state::Role;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::server::Server;

/// Far more than is taken in of an unwanted body, together with what the system keeps of a connection.
const FAR_TOO_MUCH: usize = 64 * 1024 * 1024;

/// Sends this head and then `piece` again and again, until the server has had enough. Gives what it answered and how much
/// of the body went out.
async fn flood(server: &Server, head: &[u8], piece: &[u8]) -> (String, usize) {
    let (mut reading, mut writing) = TcpStream::connect(&server.address).await.unwrap().into_split();
    writing.write_all(head).await.unwrap();
    let mut answer = vec![0; 64 * 1024];
    let length = reading.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    let mut sent = 0;
    let flooding = async {
        while sent < 2 * FAR_TOO_MUCH && writing.write_all(piece).await.is_ok() {
            sent += piece.len();
        }
    };
    timeout(Duration::from_secs(20), flooding).await.unwrap();
    (answer, sent)
}

#[actix_web::test]
async fn an_unwanted_body_is_not_read_to_its_end() {
    let server = Server::start().await;
    let worker = server.account("box", Role::Worker).await;
    let piece = [b"10000\r\n".to_vec(), vec![b' '; 65536], b"\r\n".to_vec()].concat();
    let chunked = |line: &str| format!("{line} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    let wrong_role = worker.post("/v1/jobs", "{}").set("transfer-encoding", "chunked").head();
    let declared = b"POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n".to_vec();
    let expecting = b"POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\nexpect: 100-continue\r\n\r\n";
    for (head, status) in [
        (chunked("POST /v1/jobs"), "401"),
        (chunked("POST /v1/nothing"), "404"),
        (chunked("PATCH /v1/jobs"), "405"),
        (chunked("GET /health/live"), "200"),
        (wrong_role, "403"),
        (declared, "401"),
        (expecting.to_vec(), "100"),
    ] {
        let (answer, sent) = flood(&server, &head, &piece).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(status == "100" || answer.contains("connection: close\r\n"), "{answer}");
        assert!(sent < FAR_TOO_MUCH, "{status}: {sent} bytes were taken in");
    }
}

#[actix_web::test]
async fn who_writes_everything_first_still_gets_the_answer() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let mut request = alice.post("/v1/jobs", "{}").without("signature");
    request.body = vec![b' '; 4 * 1024 * 1024];
    assert_eq!(server.send(&request).await.status, 401);
}
