//! A job that comes while a worker waits: how long after the submit's answer the worker has it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ffleet_tests::load::{Samples, SimWorker};
use futures_util::future::try_join;

use crate::{
    Bench,
    jobs::{good, singles},
    raw,
    report::Figure,
};

/// By then a claim that was sent waits at the coordinator.
const SETTLED: Duration = Duration::from_millis(10);

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    let mut worker = SimWorker::register(&site, "farm-1", 1, &[]).await?;
    let mut client = site.line().await?;
    let mut samples = Samples::default();
    for request in singles(&site, bench.count(1_000))? {
        let claim = worker.claim_request(1, 20);
        let submit = async {
            tokio::time::sleep_until((Instant::now() + SETTLED).into()).await;
            good(&mut client, &request).await?;
            anyhow::Ok(Instant::now())
        };
        let claim = async { Ok((worker.claim_with(&claim).await?, Instant::now())) };
        let (answered, (granted, had)) = try_join(submit, claim).await?;
        // The worker may have it before the client has its answer.
        samples.push(had.saturating_duration_since(answered));
        let task = granted.first().context("a claim that was woken without a task")?;
        worker.accept(task).await?;
        worker.finish(task, 0).await?;
    }
    let hello = raw::hello(1, bench.count(20_000)).await?;
    let figure = |name, part, reach| {
        Figure::at_most(name, samples.quantile_ms(part), "ms", reach).beside(hello.samples.quantile_ms(part))
    };
    Ok(vec![figure("lone_job_p50_ms", 0.5, 3.0), figure("lone_job_p99_ms", 0.99, 15.0)])
}
