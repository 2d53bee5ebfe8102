//! A stranger who has seen a signed request pass by sends it again, byte for byte, to every coordinator.

use std::net::SocketAddr;

use ffleet_client::{Follower, load_key};
use ffleet_protocol::{
    Timestamp,
    id::JobId,
    sign::{Params, Parts, sign},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

use super::stage::Stage;
use crate::fleet::key_path;

/// Asks for an ended job to be done again, without an idempotency key, and replays that; whether it came to that.
pub(super) async fn play(stage: &Stage, number: usize) -> bool {
    let api = stage.fleet.api();
    let Some(job) = stage.extra(api, &format!("replay-{number}"), 0).await else { return false };
    let mut follower = Follower::new(api.clone(), job, None);
    while let Ok(Some(_)) = follower.next().await {}
    // From here on they are up and stay so.
    let seats = stage.all_coordinators().await;
    stage.witness.seen().retries.insert(job, 1);
    let request = signed(stage, job);
    let coordinators = stage.fleet.coordinators().iter().map(|coordinator| coordinator.address());
    let mut statuses = Vec::new();
    // The first delivery is its sender's own.
    for address in coordinators.clone().chain(coordinators) {
        statuses.push(deliver(address, &request).await);
    }
    drop(seats);
    let taken = statuses.first() == Some(&Some(201));
    let refused = statuses.iter().skip(1).filter(|status| **status == Some(401)).count();
    stage.witness.seen().replays_refused += refused;
    let place = format!("retry of job {job}");
    if !taken {
        stage.witness.failure(&place, format!("it was answered {statuses:?}"));
    } else if refused + 1 < statuses.len() {
        let what = format!("its replays were answered {:?}", &statuses[1..]);
        stage.witness.violation(crate::checker::Invariant::I5, place, what);
    }
    taken
}

/// The bytes of a signed request.
fn signed(stage: &Stage, job: JobId) -> String {
    let key = load_key(&key_path(stage.fleet.dir(), "studio")).expect("the key of this fleet");
    // A name that all coordinators take for theirs.
    let authority = stage.fleet.proxy(0).address().to_string();
    let path = format!("/v1/jobs/{job}/retry");
    let parts = Parts {
        method: "POST",
        authority: &authority,
        path: &path,
        query: None,
        content_digest: None,
        idempotency_key: None,
    };
    let nonce = Some(Uuid::new_v4().simple().to_string());
    let params = Params { created: Timestamp::now().as_second(), nonce, expires: None };
    let headers = sign(&parts, &key.key_id, &key.secret, &params).expect("a request that can be signed");
    format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\nsignature-input: {}\r\nsignature: {}\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n",
        headers.input, headers.signature
    )
}

/// Sends the bytes and gives the status of the answer.
async fn deliver(address: SocketAddr, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}
