//! Resident memory.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::life::live;
use crate::{Bench, report::Figure};

/// What was allocated for the start has been given back by then.
const SETTLED: Duration = Duration::from_secs(3);

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    let worker = site.worker("idle-1", "").await?;
    tokio::time::sleep_until((Instant::now() + SETTLED).into()).await;
    let idle = site.usage()?;
    let worker_idle = worker.usage()?;
    drop(worker);
    live(&[&site], bench.count(100_000)).await?;
    let after = site.usage()?;
    Ok(vec![
        Figure::at_most("coordinator_idle_mib", mib(idle.resident), "MiB", 40.0),
        Figure::at_most("coordinator_after_100000_jobs_mib", mib(after.resident), "MiB", 80.0),
        Figure::told("coordinator_peak_mib", mib(after.peak), "MiB"),
        Figure::at_most("worker_idle_mib", mib(worker_idle.resident), "MiB", 20.0),
    ])
}

/// Bytes as MiB.
pub fn mib(bytes: u64) -> f64 {
    crate::jobs::float(bytes) / 1024.0 / 1024.0
}
