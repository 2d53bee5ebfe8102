//! A long history: what is listed and counted does not grow with it, and forgetting it disturbs nobody.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use ffleet_tests::load::{Samples, SimWorker, Site, fill};
use futures_util::future::{join, try_join_all};
use tokio::time::MissedTickBehavior;

use super::output::lines;
use crate::{
    Bench,
    jobs::{float, good, singles},
    raw,
    report::Figure,
};

/// Pages that people ask for: the newest, those of a status that many have, and of ones that few or none have.
const PAGES: [&str; 4] = [
    "/v1/jobs?limit=50",
    "/v1/jobs?limit=50&status=completed",
    "/v1/jobs?limit=50&status=failed",
    "/v1/jobs?limit=50&status=pending,running",
];
const STATUS: &str = "/v1/status";

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let mut short = history(bench, fill::RECENT).await?;
    let mut long = history(bench, bench.count(1_000_000).max(fill::RECENT * 2)).await?;
    let hello = raw::hello(1, bench.count(10_000)).await?.samples.median_ms();
    let mut figures = Vec::new();
    // The worst page counts.
    let mut pages = Vec::new();
    for page in PAGES {
        pages.push(compared(bench, &short, &long, page).await?);
    }
    let (page, page_ms) = pages.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    let (status, status_ms) = compared(bench, &short, &long, STATUS).await?;
    figures.push(Figure::at_most("listing_1000000_by_1000", page, "", 1.5));
    figures.push(Figure::told("listing_1000000_ms", page_ms, "ms").beside(hello));
    figures.push(Figure::at_most("status_1000000_by_1000", status, "", 1.5));
    figures.push(Figure::told("status_1000000_ms", status_ms, "ms").beside(hello));
    short.pause().await?;
    figures.extend(retention(bench, &mut long).await?);
    Ok(figures)
}

/// A coordinator with so many ended jobs.
async fn history(bench: &Bench, jobs: u64) -> Result<Site> {
    // The history is to stay until its time is set to be over.
    let mut site = bench.site("[retention]\nfinished_days = 3650\nfailed_days = 3650").await?;
    let mut worker = SimWorker::register(&site, "farm-1", 1, &[]).await?;
    for request in singles(&site, 1)? {
        good(&mut site.line().await?, &request).await?;
    }
    let task = worker.claim(1, 20).await?.into_iter().next().context("a task to claim")?;
    worker.accept(&task).await?;
    let output = worker.output_request(&task, lines(20));
    worker.send(&output).await?;
    worker.finish(&task, 20).await?;
    drop(worker);
    site.pause().await?;
    fill::multiply(&site.database(), jobs).await?;
    site.serve().await?;
    Ok(site)
}

/// How much longer a request takes with the long history, and how long, in milliseconds.
async fn compared(bench: &Bench, short: &Site, long: &Site, target: &str) -> Result<(f64, f64)> {
    let (mut few, mut many) = (short.line().await?, long.line().await?);
    let (ask_few, ask_many) = (short.signer("chief")?.get(target), long.signer("chief")?.get(target));
    let (mut few_times, mut many_times) = (Samples::default(), Samples::default());
    for _ in 0..bench.count(300) {
        for (line, ask, times) in [(&mut few, &ask_few, &mut few_times), (&mut many, &ask_many, &mut many_times)] {
            let began = Instant::now();
            good(line, ask).await?;
            times.push(began.elapsed());
        }
    }
    Ok((many_times.median_ms() / few_times.median_ms(), many_times.median_ms()))
}

/// Submits at an even pace, first with nothing else to do, then while the janitor forgets what it can.
async fn retention(bench: &Bench, site: &mut Site) -> Result<Vec<Figure>> {
    let seconds = if bench.quick { 3 } else { 30 };
    let _worker = SimWorker::register(site, "farm-1", 1, &[]).await?;
    let without = paced(site, seconds).await?;
    let before = fill::count(&site.database()).await?;
    site.pause().await?;
    fill::expire(&site.database()).await?;
    site.serve().await?;
    let stop = Cell::new(false);
    let sweeping = async {
        let (chief, mut line) = (site.signer("chief")?, site.line().await?);
        let began = Instant::now();
        while !stop.get() {
            good(&mut line, &chief.request("POST", "/v1/janitor", None, None)).await?;
        }
        anyhow::Ok(began.elapsed())
    };
    let submitting = async {
        let samples = paced(site, seconds).await;
        stop.set(true);
        samples
    };
    let (swept, with) = join(sweeping, submitting).await;
    let (swept, with) = (swept?, with?);
    let forgotten = before.saturating_sub(fill::count(&site.database()).await?);
    Ok(vec![
        Figure::at_most("submit_p99_during_retention", with.quantile_ms(0.99) / without.quantile_ms(0.99), "", 2.0),
        Figure::told("submit_p99_during_retention_ms", with.quantile_ms(0.99), "ms").beside(without.quantile_ms(0.99)),
        Figure::told("retention_jobs_per_s", float(forgotten) / swept.as_secs_f64(), "jobs/s"),
    ])
}

/// Submits over some connections, each every 40 ms.
async fn paced(site: &Site, seconds: u64) -> Result<Samples> {
    const LINES: u64 = 8;
    const EVERY: Duration = Duration::from_millis(40);
    let one = async |n: u64| {
        let requests = singles(site, seconds * 1_000 / 40)?;
        let mut line = site.line().await?;
        let mut samples = Samples::default();
        let mut tick = tokio::time::interval_at((Instant::now() + Duration::from_millis(5 * n)).into(), EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for request in requests {
            tick.tick().await;
            let began = Instant::now();
            good(&mut line, &request).await?;
            samples.push(began.elapsed());
        }
        anyhow::Ok(samples)
    };
    let mut all = Samples::default();
    try_join_all((0..LINES).map(one)).await?.into_iter().for_each(|samples| all.extend(samples));
    Ok(all)
}
