//! Two coordinators on one MariaDB that keeps what it acknowledges.

use std::time::Duration;

use anyhow::Result;
use ffleet_servers::MariaDb;
use ffleet_tests::load::Site;
use futures_util::future::try_join_all;

use super::{claim, life::live, statements::counters};
use crate::{
    Bench,
    jobs::{blast, float, rate, singles},
    report::Figure,
};

const CONNECTIONS: usize = 32;

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let server = MariaDb::start();
    let url = server.database();
    let first = Site::on(&bench.out, &bench.programs, Some(&url), "").await?;
    let second = first.another(&url).await?;
    let sites = [&first, &second];
    let (submits, lives) = throughput(bench, &sites).await?;
    let [few, many] = [(); 2].map(|()| server.database());
    let on = async |url: &str| Site::on(&bench.out, &bench.programs, Some(url), "").await;
    let (few, many) = claim::medians_ms(bench, on(&few).await?, on(&many).await?).await?;
    Ok(vec![
        Figure::at_least("mariadb_submit_jobs_per_s", submits, "jobs/s", 1_500.0),
        Figure::at_least("mariadb_life_tasks_per_s", lives.rate, "tasks/s", 500.0),
        Figure::at_most("mariadb_statements_per_life", lives.statements, "", 14.0),
        Figure::told("mariadb_commits_per_life", lives.commits, ""),
        Figure::at_most("mariadb_claim_100000_pending_by_100", many / few, "", 1.3),
        Figure::told("mariadb_claim_100000_pending_ms", many, "ms"),
    ])
}

/// What lives of tasks cost.
pub struct Lives {
    pub rate: f64,
    pub statements: f64,
    pub commits: f64,
}

/// Submits one by one, and whole lives, shared out among the coordinators.
pub async fn throughput(bench: &Bench, sites: &[&Site]) -> Result<(f64, Lives)> {
    let tasks = bench.count(10_000);
    let before = asked(sites).await?;
    let took = live(sites, tasks).await?;
    let after = asked(sites).await?;
    let lives = Lives {
        rate: rate(tasks, took),
        statements: (after.0 - before.0) / float(tasks),
        commits: (after.1 - before.1) / float(tasks),
    };
    let each = bench.count(12_000) / sites.len() as u64;
    let requests = sites.iter().map(|site| singles(site, each)).collect::<Result<Vec<_>>>()?;
    let blasts = sites.iter().zip(requests).map(|(site, requests)| blast(site, CONNECTIONS / sites.len(), requests));
    let took: Duration = try_join_all(blasts).await?.into_iter().map(|(took, _)| took).max().unwrap_or_default();
    Ok((rate(each * sites.len() as u64, took), lives))
}

async fn asked(sites: &[&Site]) -> Result<(f64, f64)> {
    let mut sum = (0.0, 0.0);
    for site in sites {
        let (statements, commits) = counters(site).await?;
        sum = (sum.0 + statements, sum.1 + commits);
    }
    Ok(sum)
}
