//! What is told to those whose signature does not hold: one sentence, whatever the cause.

use ffleet_coordinator::{
    config::Config,
    http::openapi,
    ops::accounts::{self, command_line},
};
use ffleet_protocol::{
    Timestamp,
    account::RotateRequest,
    id::{AccountId, KeyId},
    sign::Secret,
    state::Role,
};

use crate::server::{Request, Server, refused};

#[actix_web::test]
async fn every_fault_of_a_signature_looks_the_same() {
    let server = Server::start().await;
    let admin = command_line();
    let alice = server.account("alice", Role::Client).await;
    let mut answers = Vec::new();

    let good = alice.get("/v1/jobs");
    assert_eq!(server.send(&good).await.status, 200);
    answers.push(("no signature", server.send(&good.clone().without("signature")).await));
    answers.push(("no input", server.send(&good.clone().without("signature-input")).await));
    answers.push(("not a signature", server.send(&good.clone().set("signature", "ffleet=:AAAA:")).await));
    answers.push(("malformed", server.send(&good.clone().set("signature-input", "ffleet=((")).await));
    answers.push(("another name", server.send(&good.clone().set("host", "ffleet.example")).await));
    let mut other_path = good.clone();
    other_path.target = "/v1/jobs?limit=1".to_owned();
    answers.push(("another request", server.send(&other_path).await));

    let mut unknown = server.account("mallory", Role::Client).await;
    unknown.key_id = KeyId::new("nobody.1").unwrap();
    answers.push(("unknown key", server.send(&unknown.get("/v1/jobs")).await));
    unknown.key_id = alice.key_id.clone();
    answers.push(("wrong key", server.send(&unknown.get("/v1/jobs")).await));
    unknown.secret = Secret::from_bytes(vec![0x5a; 32]);
    unknown.key_id = KeyId::new("nobody.2").unwrap();
    answers.push(("unknown key, known dummy", server.send(&unknown.get("/v1/jobs")).await));
    answers.push(("unknown key, old", server.send(&unknown.signed_at(1, "GET", "/v1/jobs", None, &[])).await));

    let far = server.account_from("far", Role::Client, &["192.0.2.0/24"]).await;
    answers.push(("wrong network", server.send(&far.get("/v1/jobs")).await));
    let ended = server.account("ended", Role::Client).await;
    let rotate = RotateRequest { overlap_s: 0 };
    accounts::rotate(&server.app, &admin, &AccountId::new("ended").unwrap(), &rotate).await.unwrap();
    answers.push(("ended key", server.send(&ended.get("/v1/jobs")).await));
    let disabled = server.account("disabled", Role::Client).await;
    accounts::disable(&server.app, &admin, &AccountId::new("disabled").unwrap()).await.unwrap();
    answers.push(("disabled", server.send(&disabled.get("/v1/jobs")).await));
    let long_ago = disabled.signed_at(1, "GET", "/v1/jobs", None, &[]);
    answers.push(("disabled, and the clock is wrong", server.send(&long_ago).await));
    let mut nobody_wrote = server.witness().await;
    let signed = alice.post("/v1/jobs", r#"{"args":["-version"]}"#);
    answers.push(("another method", server.send(&Request { method: "GET".to_owned(), ..signed.clone() }).await));
    let batch = Request { target: "/v1/jobs:batch".to_owned(), ..signed.clone() };
    answers.push(("another path", server.send(&batch).await));
    let asked = Request { target: "/v1/jobs?x".to_owned(), ..signed.clone() };
    answers.push(("another query", server.send(&asked).await));
    answers.push(("a key that was not signed", server.send(&signed.clone().set("idempotency-key", "k")).await));
    answers.push(("another body", server.send(&signed.clone().with_body(r#"{"args":["-formats"]}"#)).await));
    answers.push(("a body without digest", server.send(&signed.without("content-digest")).await));

    let first = answers[0].1.seen();
    assert_eq!(answers[0].1.refusal(), refused(401, "unauthorized"));
    for (what, answer) in &answers {
        assert_eq!(answer.seen(), first, "{what}");
    }
    nobody_wrote.nothing_changed("refused signatures").await;
}

#[actix_web::test]
async fn a_wrong_clock_is_told_to_holders_of_a_key() {
    let server = Server::start().await;
    let alice = server.account("alice", Role::Client).await;
    let now = Timestamp::now().as_second();
    for created in [now - 1_000, now + 1_000] {
        let problem = server.send(&alice.signed_at(created, "GET", "/v1/jobs", None, &[])).await.problem();
        assert_eq!((problem.status, problem.code.as_str()), (401, "clock_skew"));
        assert!((problem.server_time.unwrap() - now).abs() < 60);
        let theirs = Timestamp::from_second(created).unwrap().to_string();
        let ours = Timestamp::from_second(problem.server_time.unwrap()).unwrap().to_string();
        assert!(problem.detail.contains(&theirs) && problem.detail.contains(&ours), "{}", problem.detail);
    }
}

#[actix_web::test]
async fn a_signed_write_is_taken_once() {
    let server = Server::start().await;
    let admin = server.account("root", Role::Admin).await;
    server.account("alice", Role::Client).await;
    let disable = admin.order("/v1/accounts/alice/disable");
    assert_eq!(server.send(&disable).await.status, 200);
    assert_eq!(server.send(&disable).await.refusal(), refused(401, "replayed"));
    assert_eq!(server.send(&admin.order("/v1/accounts/alice/disable")).await.status, 200);
}

#[actix_web::test]
async fn every_described_call_is_there_and_refuses_strangers() {
    let server = Server::start().await;
    for (path, item) in openapi().paths.paths {
        let methods = [("GET", item.get), ("POST", item.post), ("PUT", item.put), ("DELETE", item.delete)].into_iter();
        for (method, _) in methods.filter(|(_, operation)| operation.is_some()) {
            let target = path.replace("{id}", "00000000-0000-7000-8000-000000000000");
            let request =
                format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.address);
            let answer = server.send_bytes(request.as_bytes()).await;
            if path.starts_with("/v1/") {
                assert_eq!(answer.refusal(), refused(401, "unauthorized"), "{method} {path}");
            } else {
                assert_eq!(answer.status, 200, "{method} {path}");
            }
        }
    }
}

#[actix_web::test]
async fn names_that_are_configured_are_the_only_ones() {
    let config = Config { public_names: vec!["fleet.example".to_owned()], ..Config::default() };
    let server = Server::with(config).await;
    let alice = server.account("alice", Role::Client).await;
    assert_eq!(server.send(&alice.get("/v1/jobs")).await.refusal(), refused(401, "unauthorized"));
}
