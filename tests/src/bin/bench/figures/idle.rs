//! A large fleet that has nothing to do.

use std::time::{Duration, Instant};

use anyhow::Result;
use ffleet_servers::MariaDb;
use ffleet_tests::load::{SimWorker, Site};
use futures_util::future::{try_join, try_join_all};

use super::statements::counters;
use crate::{Bench, jobs::float, report::Figure};

const WORKERS: u64 = 1_200;
/// As often as real workers speak.
const HEARTBEAT: Duration = Duration::from_secs(5);
const LASTING: Duration = Duration::from_secs(30);

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let server = MariaDb::start();
    let url = server.database();
    let first = Site::on(&bench.out, &bench.programs, Some(&url), "").await?;
    let second = first.another(&url).await?;
    let sites = [&first, &second];
    let mut workers = Vec::new();
    for (n, site) in (0..bench.count(WORKERS)).zip(sites.iter().cycle()) {
        let claims = SimWorker::register(site, &format!("farm-{n}"), 4, &[]).await?;
        let beats = claims.again(site).await?;
        workers.push((claims, beats));
    }
    let over = Instant::now() + LASTING + HEARTBEAT;
    let idle = workers.into_iter().enumerate().map(|(n, (mut claims, mut beats))| async move {
        // Not all at the same moment.
        let offset = HEARTBEAT.mul_f64(float(n as u64) / float(WORKERS));
        tokio::time::sleep_until((Instant::now() + offset).into()).await;
        let waiting = async {
            while Instant::now() < over {
                claims.claim(4, 25).await?;
            }
            anyhow::Ok(())
        };
        let beating = async {
            let mut beat = 0;
            while Instant::now() < over {
                beat += 1;
                beats.heartbeat(beat).await?;
                tokio::time::sleep_until((Instant::now() + HEARTBEAT).into()).await;
            }
            anyhow::Ok(())
        };
        try_join(waiting, beating).await
    });
    let measuring = async {
        tokio::time::sleep_until((Instant::now() + HEARTBEAT).into()).await;
        let (before, began) = (used(&sites).await?, Instant::now());
        tokio::time::sleep_until((Instant::now() + LASTING - HEARTBEAT).into()).await;
        let (after, took) = (used(&sites).await?, began.elapsed().as_secs_f64());
        anyhow::Ok(((after.0 - before.0) / took, (after.1 - before.1) / took))
    };
    let ((statements, cores), _) = try_join(measuring, try_join_all(idle)).await?;
    Ok(vec![
        Figure::at_most("idle_1200_statements_per_s", statements, "1/s", 600.0),
        Figure::at_most("idle_1200_cores", cores, "cores", 0.25),
    ])
}

/// Statements, and seconds of processor time, of both coordinators.
async fn used(sites: &[&Site]) -> Result<(f64, f64)> {
    let mut sum = (0.0, 0.0);
    for site in sites {
        sum.0 += counters(site).await?.0;
        sum.1 += site.usage()?.cpu.as_secs_f64();
    }
    Ok(sum)
}
