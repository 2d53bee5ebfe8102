//! The whole life of a task that does nothing: submit, claim, accept, finish.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::Result;
use ffleet_tests::load::{Granted, SimWorker, Site};
use futures_util::future::{try_join, try_join_all};

use crate::{
    Bench,
    jobs::{batches, blast, rate},
    raw,
    report::Figure,
};

const WORKERS: usize = 8;
const SLOTS: u32 = 16;
/// As often as real workers speak.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Jobs of one submit.
const BATCH: usize = 100;

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    let tasks = bench.count(20_000);
    let took = live(&[&site], tasks).await?;
    // Accept and finish are a request each; the others are shared by many tasks.
    let hello = raw::hello(WORKERS * SLOTS as usize, bench.count(200_000)).await?;
    Ok(vec![Figure::at_least("life_tasks_per_s", rate(tasks, took), "tasks/s", 1_500.0).beside(hello.rate / 2.0)])
}

/// Lets so many tasks go through their lives; says how long that took from the first submit to the last end. Workers and
/// submits are shared out among the coordinators.
pub async fn live(sites: &[&Site], tasks: u64) -> Result<Duration> {
    let mut workers = Vec::new();
    for (n, site) in (1..=WORKERS).zip(sites.iter().cycle()) {
        workers.push((*site, SimWorker::register(site, &format!("farm-{n}"), SLOTS, &[]).await?));
    }
    let each = tasks / BATCH as u64 / sites.len() as u64;
    let tasks = each * (BATCH * sites.len()) as u64;
    let requests = sites.iter().map(|site| batches(site, each, BATCH)).collect::<Result<Vec<_>>>()?;
    let left = Left { tasks: Cell::new(tasks), ended: Cell::new(Instant::now()) };
    let began = Instant::now();
    let work = try_join_all(workers.into_iter().map(|(site, worker)| work(site, worker, &left)));
    let submits = try_join_all(sites.iter().zip(requests).map(|(site, requests)| blast(site, 2, requests)));
    try_join(submits, work).await?;
    Ok(left.ended.get() - began)
}

/// What is left to do, and when the last task so far ended: whoever finds nothing more waits in vain for a while.
struct Left {
    tasks: Cell<u64>,
    ended: Cell<Instant>,
}

/// A worker with a connection for claims and one for each slot.
async fn work(site: &Site, mut claims: SimWorker, left: &Left) -> Result<()> {
    let mut slots = Vec::new();
    for _ in 0..SLOTS {
        slots.push(claims.again(site).await?);
    }
    let (mut spoke, mut beat) = (Instant::now(), 0);
    while left.tasks.get() > 0 {
        if spoke.elapsed() > HEARTBEAT {
            (spoke, beat) = (Instant::now(), beat + 1);
            claims.heartbeat(beat).await?;
        }
        let granted = claims.claim(SLOTS, 1).await?;
        try_join_all(slots.iter_mut().zip(&granted).map(|(slot, task)| one(slot, task))).await?;
        if !granted.is_empty() {
            left.tasks.set(left.tasks.get() - granted.len() as u64);
            left.ended.set(Instant::now());
        }
    }
    Ok(())
}

async fn one(slot: &mut SimWorker, task: &Granted) -> Result<()> {
    slot.accept(task).await?;
    slot.finish(task, 0).await?;
    Ok(())
}
