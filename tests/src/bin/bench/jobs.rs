//! Jobs to submit, and ways of sending many requests.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ffleet_protocol::{
    id::unused,
    job::{BatchItem, BatchRequest, JobSpec, Requirements},
};
use ffleet_tests::load::{Line, Samples, Site};
use futures_util::future::try_join_all;

/// An ordinary encode, which nobody runs here.
pub fn job() -> Result<JobSpec> {
    spec(&["-i", "$Media/shows/pilot/in.mkv", "-c:v", "libx264", "-crf", "20", "$Media/shows/pilot/out.mkv"])
}

/// The same for workers with this tag alone.
pub fn job_for(tag: &str) -> Result<JobSpec> {
    let needs = Requirements { tags: [tag.to_owned()].into(), ..Requirements::default() };
    Ok(JobSpec { needs, ..job()? })
}

/// A command with these arguments.
pub fn spec(args: &[&str]) -> Result<JobSpec> {
    serde_json::from_value(serde_json::json!({ "program": "ffmpeg", "args": args })).context("a job to submit")
}

/// A batch of jobs, signed.
pub fn batch(site: &Site, specs: impl IntoIterator<Item = JobSpec>) -> Result<Vec<u8>> {
    let item = |job| BatchItem { idempotency_key: unused(), job };
    let jobs = specs.into_iter().map(item).collect();
    Ok(site.signer("studio")?.send("POST", "/v1/jobs:batch", &BatchRequest { jobs, again: false }))
}

/// `count` batches of `size` ordinary jobs each, signed.
pub fn batches(site: &Site, count: u64, size: usize) -> Result<Vec<Vec<u8>>> {
    (0..count).map(|_| batch(site, std::iter::repeat_n(job()?, size))).collect()
}

/// Single submits, signed.
pub fn singles(site: &Site, count: u64) -> Result<Vec<Vec<u8>>> {
    let (signer, job) = (site.signer("studio")?, job()?);
    Ok((0..count).map(|_| signer.send_once("/v1/jobs", &job)).collect())
}

/// Sends all requests over so many connections, each as soon as its connection has been answered. Says how long it took,
/// and each request.
pub async fn blast(site: &Site, connections: usize, requests: Vec<Vec<u8>>) -> Result<(Duration, Samples)> {
    let mut lines = Vec::new();
    for _ in 0..connections {
        lines.push(site.line().await?);
    }
    let requests = RefCell::new(requests.into_iter());
    let began = Instant::now();
    let samples = try_join_all(lines.iter_mut().map(|line| drain(line, &requests))).await?;
    let took = began.elapsed();
    let mut all = Samples::default();
    samples.into_iter().for_each(|samples| all.extend(samples));
    Ok((took, all))
}

async fn drain(line: &mut Line, requests: &RefCell<std::vec::IntoIter<Vec<u8>>>) -> Result<Samples> {
    let mut samples = Samples::default();
    loop {
        let Some(request) = requests.borrow_mut().next() else { return Ok(samples) };
        let began = Instant::now();
        good(line, &request).await?;
        samples.push(began.elapsed());
    }
}

/// Sends a request, which must succeed, and gives its answer.
pub async fn good(line: &mut Line, request: &[u8]) -> Result<Vec<u8>> {
    let answer = line.ask(request).await?;
    ensure!(answer.status < 300, "answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(answer.body)
}

/// How many in a second.
pub fn rate(count: u64, took: Duration) -> f64 {
    float(count) / took.as_secs_f64()
}

/// A count as a number for quotients.
#[expect(clippy::cast_precision_loss, reason = "counts of a measurement are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}
