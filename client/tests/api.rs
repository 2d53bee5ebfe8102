//! The library against coordinators that answer from a script: what is sent, what is repeated, where, and what not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod scripted;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ffleet_client::{Api, ApiError, Connection, Follower, RetryOptions};
use ffleet_protocol::{
    id::{Incarnation, JobId, TaskId, Token, WorkerId},
    job::{BatchRequest, JobFilter, JobSpec},
    log::{Cursor, FollowRecord, Position},
    problem::Code,
    sign::{self, KeyFile},
    state::SignalKind,
    task::ClaimRequest,
};
use scripted::{Answer, Scripted, nobody, problem};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use url::Url;

fn key() -> KeyFile {
    KeyFile::parse("farm.1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
}

fn api(urls: Vec<Url>) -> Api {
    let mut connection = Connection::new(urls, key());
    connection.retry = RetryOptions { deadline: Duration::from_secs(20), try_timeout: Duration::from_secs(10) };
    Api::new(connection).unwrap()
}

fn spec() -> JobSpec {
    serde_json::from_value(json!({"args": ["-i", "$Media/é.mkv", "out.mp4"]})).unwrap()
}

fn submitted() -> Answer {
    Answer::json(201, json!({"id": JobId::new(), "status": "pending"}))
}

#[tokio::test]
async fn every_try_is_signed_afresh_and_verifies() {
    let coordinator = Scripted::start(vec![
        Answer::json(503, problem(Code::Unavailable)).header("retry-after", "0"),
        Answer::Cut,
        submitted(),
    ])
    .await;
    api(vec![coordinator.url.clone()]).submit(&spec(), "key-1").await.unwrap();

    let requests = coordinator.requests();
    let mut nonces = Vec::new();
    for request in &requests {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/jobs"));
        let presented =
            sign::parse(&[request.header("signature-input").as_bytes()], &[request.header("signature").as_bytes()]);
        let presented = presented.unwrap();
        presented.verify(&request.parts(), true, &key().secret).unwrap();
        assert_eq!(request.header("content-digest"), sign::content_digest(&request.body));
        assert_eq!(request.header("idempotency-key"), "key-1");
        nonces.push(presented.nonce().unwrap().to_owned());
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 3, "a nonce was used twice");
}

#[tokio::test]
async fn queries_and_proxy_prefixes_are_signed_as_they_are_sent() {
    let coordinator = Scripted::start(vec![Answer::json(200, json!({"jobs": [], "next_cursor": null}))]).await;
    let behind_a_proxy = coordinator.url.join("farm/").unwrap();
    let filter = JobFilter { label: Some("show=a b&c".to_owned()), limit: Some(5), ..JobFilter::default() };
    api(vec![behind_a_proxy]).jobs(&filter).await.unwrap();

    let request = &coordinator.requests()[0];
    assert!(request.target.starts_with("/farm/v1/jobs?") && request.target.contains("label=show%3Da+b%26c"));
    let presented =
        sign::parse(&[request.header("signature-input").as_bytes()], &[request.header("signature").as_bytes()]);
    presented.unwrap().verify(&request.parts(), false, &key().secret).unwrap();
}

#[tokio::test]
async fn reads_move_to_the_next_coordinator_and_stay_there() {
    let good = Scripted::start(vec![Answer::json(200, json!({"workers": []})); 2]).await;
    let api = api(vec![nobody().await, good.url.clone()]);
    api.workers().await.unwrap();
    api.workers().await.unwrap();
    assert_eq!(good.requests().len(), 2);
}

#[tokio::test]
async fn a_write_that_cannot_be_repeated_is_sent_once() {
    let coordinator = Scripted::start(vec![Answer::Cut, submitted()]).await;
    let other = Scripted::start(vec![submitted()]).await;
    let api = api(vec![coordinator.url.clone(), other.url.clone()]);
    let error = api.signal(JobId::new(), SignalKind::Quit).await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error}");
    assert_eq!((coordinator.requests().len(), other.requests().len()), (1, 0));
}

#[tokio::test]
async fn a_write_that_was_not_sent_goes_elsewhere() {
    let canceled = Answer::json(200, json!({"id": JobId::new(), "status": "running"}));
    let good = Scripted::start(vec![canceled]).await;
    let api = api(vec![nobody().await, good.url.clone()]);
    api.signal(JobId::new(), SignalKind::Quit).await.unwrap();
}

#[tokio::test]
async fn a_no_is_a_no() {
    for (status, code) in
        [(404, Code::NoSuchJob), (409, Code::TooLate), (422, Code::BadField), (401, Code::Unauthorized)]
    {
        let coordinator = Scripted::start(vec![Answer::json(status, problem(code)), submitted()]).await;
        let other = Scripted::start(vec![submitted()]).await;
        let error = api(vec![coordinator.url.clone(), other.url.clone()]).cancel(JobId::new()).await.unwrap_err();
        assert!(error.is(code), "{error}");
        assert_eq!((coordinator.requests().len(), other.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_fault_is_not_asked_for_ever() {
    let coordinator = Scripted::start(vec![Answer::json(500, problem(Code::Internal)); 5]).await;
    let error =
        api(vec![coordinator.url.clone()]).batch(&BatchRequest { jobs: Vec::new(), again: false }).await.unwrap_err();
    assert!(error.is(Code::Internal), "{error}");
    assert_eq!(coordinator.requests().len(), 3);
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once_and_for_all() {
    let ahead = jiff::Timestamp::now().as_second() + 5_000;
    let mut skewed = problem(Code::ClockSkew);
    skewed["server_time"] = json!(ahead);
    let good = Answer::json(200, json!({"workers": []}));
    let coordinator = Scripted::start(vec![Answer::json(401, skewed.clone()), good.clone(), good]).await;
    let api = api(vec![coordinator.url.clone()]);
    api.workers().await.unwrap();
    api.workers().await.unwrap();
    let created = |index: usize| {
        let request = &coordinator.requests()[index];
        sign::parse(&[request.header("signature-input").as_bytes()], &[request.header("signature").as_bytes()])
            .unwrap()
            .created()
    };
    assert!(created(0) < ahead - 4_000);
    assert!((ahead..ahead + 60).contains(&created(1)) && (ahead..ahead + 60).contains(&created(2)));

    let coordinator = Scripted::start(vec![Answer::json(401, skewed.clone()), Answer::json(401, skewed)]).await;
    let error = self::api(vec![coordinator.url.clone()]).workers().await.unwrap_err();
    assert!(error.is(Code::ClockSkew));
}

#[tokio::test]
async fn without_work_a_claim_is_empty() {
    let coordinator = Scripted::start(vec![Answer::empty(204)]).await;
    let request = ClaimRequest {
        worker: WorkerId::new("w").unwrap(),
        incarnation: Incarnation::new(),
        token: Token::new(),
        free_slots: 1,
        wait_s: 0,
    };
    assert_eq!(api(vec![coordinator.url.clone()]).claim(&request).await.unwrap(), None);
}

#[tokio::test]
async fn strangers_are_called_strangers() {
    let cases = [
        (Answer::json(302, json!("")).header("location", "http://elsewhere/"), "redirects to http://elsewhere/"),
        (Answer::json(404, json!("nginx")), "404 Not Found without a description"),
        (Answer::json(200, json!({"hello": "world"})), "missing field"),
    ];
    for (answer, part) in cases {
        let stranger = Scripted::start(vec![answer]).await;
        let error = api(vec![stranger.url.clone()]).workers().await.unwrap_err();
        assert!(matches!(error, ApiError::Protocol { .. }) && error.to_string().contains(part), "{error}");
    }
}

/// Answers every connection with these bytes, and counts them.
async fn answering(bytes: &'static [u8]) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            // What was sent has to be read, or the answer is lost with the connection.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    (address, count)
}

#[tokio::test]
async fn the_wrong_one_of_http_and_https_is_told_at_once() {
    let plain = answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    // What TLS says to whoever does not begin with a greeting: the alert "unexpected message".
    let tls = answering(b"\x15\x03\x03\x00\x02\x02\x0a").await;
    for ((address, count), given, meant) in [(&plain, "https", "http"), (&tls, "http", "https")] {
        let api = api(vec![Url::parse(&format!("{given}://{address}")).unwrap()]);
        let text = api.status().await.unwrap_err().to_string();
        assert!(text.contains(&format!("write {meant}://{address}")), "{text}");
        assert_eq!(count.load(Ordering::Relaxed), 1, "asking again does not mend an address");
    }
    // With another coordinator that answers it does no harm.
    let good = Scripted::start(vec![Answer::json(200, json!({"workers": []}))]).await;
    let misspelt = Url::parse(&format!("https://{}", plain.0)).unwrap();
    api(vec![misspelt, good.url.clone()]).workers().await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_said_address_by_address() {
    let (one, two) = (nobody().await, nobody().await);
    let error = api(vec![one.clone(), two.clone()]).with_deadline(Duration::ZERO).workers().await.unwrap_err();
    let text = error.to_string();
    for url in [one, two] {
        assert!(text.contains(&format!("{}: Connection refused", url.as_str().trim_end_matches('/'))), "{text}");
    }
}

#[tokio::test]
async fn a_follower_goes_on_where_it_was_cut_off() {
    let (job, task) = (JobId::new(), TaskId::new());
    let output = |seq: u64| {
        json!({"type": "output", "task": task, "epoch": 1, "seq": seq, "stream": "stderr", "at": "2026-11-20T12:00:00Z",
               "text": format!("line {seq}"), "end": "lf"})
    };
    let mut cursor = Cursor::default();
    cursor.tasks.insert(task, Position { epoch: 1, seq: 2, ..Position::default() });
    let status = |status: &str| json!({"type": "status", "job": job, "status": status});
    let outcome = json!({"type": "outcome", "job": job, "outcome": {"status": "completed", "exit_code": 0,
        "signal": null, "failure": null, "canceled": null, "message": ""}});
    let first = Scripted::start(vec![Answer::lines(
        vec![
            status("running"),
            json!({"type": "attempt", "task": task, "epoch": 1, "worker": "box1"}),
            output(1),
            output(2),
            json!({"type": "cursor", "cursor": cursor}),
            output(3),
        ],
        false,
    )])
    .await;
    let second = Scripted::start(vec![Answer::lines(
        vec![status("running"), output(3), json!({"type": "keep_alive"}), output(4), status("completed"), outcome],
        true,
    )])
    .await;
    let api = api(vec![first.url.clone(), second.url.clone()]);
    let mut follower = Follower::new(api, job, None);
    let mut told = Vec::new();
    while let Some(record) = follower.next().await.unwrap() {
        told.push(match record {
            FollowRecord::Status { status, .. } => status.to_string(),
            FollowRecord::Attempt { worker, .. } => worker.to_string(),
            FollowRecord::Output { record, .. } => record.seq.to_string(),
            FollowRecord::Cursor { .. } => "cursor".to_owned(),
            FollowRecord::Outcome { outcome, .. } => format!("outcome {}", outcome.status),
            FollowRecord::AttemptEnded { .. }
            | FollowRecord::Progress { .. }
            | FollowRecord::KeepAlive {}
            | FollowRecord::Unknown => "unexpected".to_owned(),
        });
    }
    assert_eq!(told, ["running", "box1", "1", "2", "cursor", "3", "4", "completed", "outcome completed"]);
    let again = &second.requests()[0];
    assert_eq!(again.target, format!("/v1/jobs/{job}/logs?after={cursor}&follow=true"));
}
