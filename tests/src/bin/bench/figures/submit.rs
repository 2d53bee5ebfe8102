//! Submits: how many a second are on disk and answered.

use anyhow::Result;
use ffleet_tests::load::SimWorker;

use crate::{
    Bench,
    jobs::{batches, blast, rate, singles},
    raw,
    report::Figure,
};

const CONNECTIONS: usize = 32;
const BATCH: usize = 1_000;

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    // A worker that could run them, or every answer would warn that there is none.
    let _worker = SimWorker::register(&site, "farm-1", 1, &[]).await?;
    blast(&site, CONNECTIONS, singles(&site, bench.count(3_000))?).await?;

    let requests = singles(&site, bench.count(30_000))?;
    let count = requests.len() as u64;
    let (took, _) = blast(&site, CONNECTIONS, requests).await?;
    let one_by_one = rate(count, took);

    let requests = batches(&site, bench.count(100).max(CONNECTIONS as u64), BATCH)?;
    let count = (requests.len() * BATCH) as u64;
    let (took, _) = blast(&site, CONNECTIONS, requests).await?;
    let batched = rate(count, took);

    // At most so many callers can share one sync of the disk.
    let raw_shared = raw::sqlite(&bench.out, CONNECTIONS as u64, bench.count(50_000)).await?;
    let raw_batch = raw::sqlite(&bench.out, BATCH as u64, bench.count(200_000)).await?;
    Ok(vec![
        Figure::at_least("submit_jobs_per_s", one_by_one, "jobs/s", 3_000.0).beside(raw_shared),
        Figure::at_least("submit_batch_jobs_per_s", batched, "jobs/s", 20_000.0).beside(raw_batch),
    ])
}
