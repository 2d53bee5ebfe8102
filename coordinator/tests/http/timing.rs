//! Whether the time of a refusal tells which one it is. Time is not asserted on: what is, is that every cause does the
//! same work. `cargo test -p ffleet-coordinator --test http timing -- --nocapture` prints what it comes to.

use std::time::{Duration, Instant};

use ffleet_coordinator::ops::accounts::{self, command_line};
use ffleet_protocol::{
    account::RotateRequest,
    id::{AccountId, KeyId},
    state::Role,
};

use crate::server::{Server, Signer, refused};

const ROUNDS: usize = 40;

/// Everybody who is refused, each with the cause.
async fn refused_ones(server: &Server) -> Vec<(&'static str, Signer)> {
    let admin = command_line();
    let id = |name: &str| AccountId::new(name).unwrap();
    let mut wrong = server.account("wrong", Role::Client).await;
    wrong.secret = server.account("other", Role::Client).await.secret;
    let mut unknown = server.account("known", Role::Client).await;
    unknown.key_id = KeyId::new("unknown.0123abcd").unwrap();
    let disabled = server.account("disabled", Role::Client).await;
    accounts::disable(&server.app, &admin, &id("disabled")).await.unwrap();
    let expired = server.account("expired", Role::Client).await;
    accounts::rotate(&server.app, &admin, &id("expired"), &RotateRequest { overlap_s: 0 }).await.unwrap();
    let far = server.account_from("far", Role::Client, &["192.0.2.0/24"]).await;
    vec![("wrong", wrong), ("unknown", unknown), ("disabled", disabled), ("expired", expired), ("network", far)]
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[actix_web::test]
async fn every_refusal_takes_its_time() {
    let server = Server::start().await;
    let people = refused_ones(&server).await;
    // The first request of each reads the database; the others find what was read, be it a key or that there is none.
    let mut times: Vec<(&str, Vec<Duration>)> = people.iter().map(|(cause, _)| (*cause, Vec::new())).collect();
    for _ in 0..ROUNDS {
        for ((cause, signer), (_, times)) in people.iter().zip(&mut times) {
            let request = signer.get("/v1/jobs");
            let begun = Instant::now();
            let answer = server.send(&request).await;
            times.push(begun.elapsed());
            assert_eq!(answer.refusal(), refused(401, "unauthorized"), "{cause}");
        }
    }
    for (cause, times) in &mut times {
        let (first, others) = times.split_at_mut(1);
        println!("{cause:<10} first {:>9.3?}  median of the others {:>9.3?}", first[0], median(others));
    }
}
