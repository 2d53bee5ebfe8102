//! Strangers, and others, who take their time.

use std::time::Duration;

use ffleet_protocol::{
    sign::{self, KeyFile, Params, Parts},
    state::JobStatus,
};
use ffleet_tests::{Fleet, PATIENCE, job};
use futures_util::future::join_all;
use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{interval, timeout},
};

/// A signed head of a submit whose body does not come.
fn signed_head(fleet: &Fleet, key: &KeyFile, n: usize) -> String {
    let url = fleet.coordinator().url();
    let authority = url.authority().to_owned();
    let digest = sign::content_digest(b"{}");
    let parts = Parts {
        method: "POST",
        authority: &authority,
        path: "/v1/jobs",
        query: None,
        content_digest: Some(&digest),
        idempotency_key: None,
    };
    let created = ffleet_protocol::Timestamp::now().as_second();
    let params = Params { created, nonce: Some(format!("slow-and-steady-{n}")), expires: None };
    let signed = sign::sign(&parts, &key.key_id, &key.secret, &params).unwrap();
    format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {authority}\r\nsignature-input: {}\r\nsignature: {}\r\ncontent-digest: {digest}\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n",
        signed.input, signed.signature
    )
}

/// Sends `begin` and then a byte every now and then, until the server has had enough; what it said then.
async fn dribble(address: String, begin: String) -> String {
    let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    writing.write_all(begin.as_bytes()).await.unwrap();
    let dribbling = tokio::spawn(async move {
        let mut drops = interval(Duration::from_secs(1));
        while writing.write_all(b"x").await.is_ok() {
            drops.tick().await;
        }
    });
    let mut said = Vec::new();
    // A reset is an end as well.
    while matches!(timeout(PATIENCE, reading.read_buf(&mut said)).await.unwrap(), Ok(1..)) {}
    dribbling.abort();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_thousand_slow_ones_are_let_go_and_harm_nobody() {
    let (_, hard) = getrlimit(RLIMIT_NOFILE).unwrap();
    setrlimit(RLIMIT_NOFILE, hard, hard).unwrap();
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let key = KeyFile::parse(&std::fs::read_to_string(fleet.dir().join("keys/studio.key")).unwrap()).unwrap();
    let address = fleet.coordinator().url().authority().to_owned();
    let unsigned = format!("GET /v1/jobs HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let slow: Vec<_> = (0..1_000)
        .map(|n| match n % 4 {
            // Nothing but the beginning of a head.
            0 => "POST /v1/".to_owned(),
            1 => format!("GET /v1/jobs HTTP/1.1\r\nhost: {address}\r\nx-slow: "),
            // Answered once, and then slow with the next head.
            2 => format!("{unsigned}GET /v1/"),
            _ => signed_head(&fleet, &key, n),
        })
        .map(|begin| tokio::spawn(dribble(address.clone(), begin)))
        .collect();
    // Whoever is not slow is served meanwhile.
    for n in 0..20 {
        let id = fleet.submit(&job(["-fake-say", &format!("{n}")])).await;
        fleet.wait(id).until(JobStatus::Completed).await;
    }
    let said = join_all(slow).await.into_iter().map(Result::unwrap);
    for (n, said) in said.enumerate() {
        let expected = match n % 4 {
            0 | 1 => "HTTP/1.1 408",
            2 => "HTTP/1.1 401",
            _ => "\"code\":\"slow_body\"",
        };
        assert!(said.contains(expected), "{n}: {said}");
    }
    assert!(fleet.coordinator().process().is_alive());
    fleet.api().status().await.unwrap();
}
