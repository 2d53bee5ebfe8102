//! A claim costs the same whatever waits.

use std::time::Instant;

use anyhow::{Context, Result};
use ffleet_tests::load::{Samples, SimWorker, Site};

use crate::{
    Bench,
    jobs::{batch, blast, job_for},
    raw,
    report::Figure,
};

const NEEDS: u64 = 20;
const FEW: u64 = 100;

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let (few, many) = medians_ms(bench, bench.site("").await?, bench.site("").await?).await?;
    let hello = raw::hello(1, bench.count(10_000)).await?.samples.median_ms();
    Ok(vec![
        Figure::at_most("claim_100000_pending_by_100", many / few, "", 1.3),
        Figure::told("claim_100000_pending_ms", many, "ms").beside(hello),
    ])
}

/// What a claim takes when little waits at the one, and much at the other.
pub async fn medians_ms(bench: &Bench, few: Site, many: Site) -> Result<(f64, f64)> {
    let mut few = Queue::at(few, FEW).await?;
    let mut many = Queue::at(many, bench.count(100_000)).await?;
    for round in 0..bench.count(1_000) {
        // Turn by turn, so that whatever else the machine does happens to both.
        few.claim(round).await?;
        many.claim(round).await?;
    }
    Ok((few.samples.median_ms(), many.samples.median_ms()))
}

/// A coordinator with tasks that wait, and a worker that could run them all.
struct Queue {
    site: Site,
    worker: SimWorker,
    samples: Samples,
}

impl Queue {
    async fn at(site: Site, pending: u64) -> Result<Self> {
        let tags: Vec<String> = (0..NEEDS).map(tag).collect();
        let worker = SimWorker::register(&site, "farm-1", 16, &tags).await?;
        let mut requests = Vec::new();
        for first in (0..pending).step_by(1_000) {
            let part = (first..pending.min(first + 1_000)).map(|n| job_for(&tag(n))).collect::<Result<Vec<_>>>()?;
            requests.push(batch(&site, part)?);
        }
        blast(&site, 2, requests).await?;
        Ok(Self { site, worker, samples: Samples::default() })
    }

    /// Claims one task and puts another one in its place.
    async fn claim(&mut self, round: u64) -> Result<()> {
        let request = self.worker.claim_request(1, 0);
        let began = Instant::now();
        let granted = self.worker.claim_with(&request).await?;
        self.samples.push(began.elapsed());
        let task = granted.first().context("there is work, and a claim got none")?;
        self.worker.accept(task).await?;
        self.worker.finish(task, 0).await?;
        blast(&self.site, 1, vec![batch(&self.site, [job_for(&tag(round))?])?]).await?;
        Ok(())
    }
}

fn tag(n: u64) -> String {
    format!("kind-{}", n % NEEDS)
}
