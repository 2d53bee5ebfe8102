//! Many who watch the same job.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ffleet_protocol::job::Submitted;
use ffleet_tests::load::{Pieces, Samples, SimWorker};
use futures_util::future::{try_join, try_join_all};

use super::output::{TICK, lines};
use crate::{
    Bench,
    jobs::{good, spec},
    report::Figure,
};

const FOLLOWERS: u64 = 1_000;
const PER_SECOND: u64 = 1_000;
/// A follower that is so far behind is not served in time.
const LAG_MS: f64 = 1_000.0;

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    let mut worker = SimWorker::register(&site, "farm-1", 1, &[]).await?;
    let signer = site.signer("studio")?;
    let answer = good(&mut site.line().await?, &signer.send_once("/v1/jobs", &spec(&["-i", "x"])?)).await?;
    let job: Submitted = serde_json::from_slice(&answer)?;
    let task = worker.claim(1, 20).await?.into_iter().next().context("a task to claim")?;
    worker.accept(&task).await?;
    let mut followers = Vec::new();
    for _ in 0..bench.count(FOLLOWERS) {
        let request = signer.get(&format!("/v1/jobs/{}/logs?follow=true", job.id));
        followers.push(site.line().await?.listen(&request).await?);
    }
    let followed = followers.len() as u64;
    let seconds = if bench.quick { 3 } else { 10 };
    let all = lines(PER_SECOND * seconds);
    let at_once = usize::try_from(PER_SECOND)? / 10;
    let batches: Vec<_> = all.chunks(at_once).map(|part| worker.output_request(&task, part.to_vec())).collect();

    let sent = Cell::new(Instant::now());
    let (before, began) = (site.usage()?, Instant::now());
    let sending = async {
        let mut tick = tokio::time::interval(TICK);
        for batch in &batches {
            tick.tick().await;
            sent.set(Instant::now());
            worker.send(batch).await?;
        }
        worker.finish(&task, PER_SECOND * seconds).await?;
        anyhow::Ok(())
    };
    let reading = try_join_all(followers.into_iter().map(|pieces| read(pieces, &sent)));
    let ((), lags) = try_join(sending, reading).await?;
    let (after, took) = (site.usage()?, began.elapsed());
    let mut lag = Samples::default();
    for (bytes, lags) in lags {
        ensure!(bytes > PER_SECOND * seconds * 80, "a follower missed output");
        lag.extend(lags);
    }
    let cores = (after.cpu - before.cpu).as_secs_f64() / took.as_secs_f64();
    let slow = took > Duration::from_secs(seconds + 1);
    ensure!(!slow, "it took {took:?} to send and read {seconds} s of output");
    Ok(vec![
        Figure::at_most("followers_1000_cores", cores, "cores", 1.0),
        Figure::at_most("followers_1000_lag_p99_ms", lag.quantile_ms(0.99), "ms", LAG_MS),
        Figure::told("followers_resident_mib", super::memory::mib(after.resident), "MiB"),
        Figure::told("followers", crate::jobs::float(followed), ""),
    ])
}

/// Reads to the end; says how much it was, and how long after its sending each piece came.
async fn read(mut pieces: Pieces, sent: &Cell<Instant>) -> Result<(u64, Samples)> {
    let (mut bytes, mut lags, mut piece) = (0, Samples::default(), Vec::new());
    while pieces.next(&mut piece).await? {
        bytes += piece.len() as u64;
        lags.push(sent.get().elapsed());
        piece.clear();
    }
    Ok((bytes, lags))
}
