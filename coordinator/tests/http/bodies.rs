//! The order in which a request is looked at. Whoever is refused by the head is refused before the body has come.

use ffleet_protocol::state::Role;

use crate::server::{Server, refused};

#[actix_web::test]
async fn the_head_is_judged_before_a_byte_of_the_body() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let worker = server.account("box", Role::Worker).await;
    // Of each request the head is sent and nothing else; an answer comes all the same.
    let unsigned = alice.post("/v1/jobs", "{}").without("signature");
    assert_eq!(server.send_bytes(&unsigned.head()).await.refusal(), refused(401, "unauthorized"));
    let wrong_role = worker.post("/v1/jobs", "{}");
    assert_eq!(server.send_bytes(&wrong_role.head()).await.refusal(), refused(403, "wrong_role"));
    let huge = alice.post("/v1/jobs", "{}").set("content-length", "1048577");
    assert_eq!(server.send_bytes(&huge.head()).await.refusal(), refused(413, "too_large"));
    let batch = alice.post("/v1/jobs:batch", "{}").set("content-length", "8388609");
    assert_eq!(server.send_bytes(&batch.head()).await.refusal(), refused(413, "too_large"));
    let text = alice.post("/v1/jobs", "{}").set("content-type", "text/plain");
    assert_eq!(server.send_bytes(&text.head()).await.refusal(), refused(415, "unsupported_media_type"));
    let needless = alice.post("/v1/jobs/00000000-0000-7000-8000-000000000000/cancel", "{}");
    assert_eq!(server.send_bytes(&needless.head()).await.refusal(), refused(400, "bad_request"));
}

#[actix_web::test]
async fn the_digest_is_judged_before_the_meaning() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let broken = "{\"args\":";
    assert_eq!(server.send(&alice.post("/v1/jobs", broken)).await.refusal(), refused(400, "broken_json"));
    let altered = alice.post("/v1/jobs", "{}").with_body(broken);
    assert_eq!(server.send(&altered).await.refusal(), refused(401, "unauthorized"));
}

#[actix_web::test]
async fn a_length_that_is_not_told_does_not_lift_the_limit() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let mut request = alice.post("/v1/jobs", "{}").set("transfer-encoding", "chunked");
    request.body = chunked(1024 * 1024 + 1);
    assert_eq!(server.send(&request).await.refusal(), refused(413, "too_large"));
    // The limit itself is only reached by what is not the signed body.
    request.body = chunked(1024 * 1024);
    assert_eq!(server.send(&request).await.refusal(), refused(401, "unauthorized"));
}

fn chunked(length: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for part in vec![b' '; length].chunks(64 * 1024) {
        body.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

#[actix_web::test]
async fn an_idempotency_key_gives_the_first_answer_again() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let submit = |body: &str| alice.request("POST", "/v1/jobs", Some(body), &[("idempotency-key", "monday-7")]);
    let first = server.send(&submit(r#"{"args":["-version"]}"#)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = server.send(&submit(r#"{"args":["-version"]}"#)).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let other = server.send(&submit(r#"{"args":["-formats"]}"#)).await;
    assert_eq!(other.refusal(), refused(422, "idempotency_mismatch"));
    let odd = alice.request("POST", "/v1/jobs", Some(r#"{"args":["-version"]}"#), &[("idempotency-key", "two words")]);
    assert_eq!(server.send(&odd).await.refusal(), refused(400, "bad_request"));
}
