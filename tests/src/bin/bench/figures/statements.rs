//! How many database statements single requests take.

use anyhow::{Context, Result};
use ffleet_tests::load::{Line, SimWorker, Site};

use crate::{
    Bench,
    jobs::{good, singles},
    report::Figure,
};

const TIMES: u64 = 200;

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    // A janitor that never comes round: what it reads would be counted as well.
    let site = bench.site("").await?;
    let _worker = SimWorker::register(&site, "farm-1", 1, &[]).await?;
    let (signer, mut line) = (site.signer("studio")?, site.line().await?);
    for request in singles(&site, 20)? {
        good(&mut line, &request).await?;
    }
    // A request that is refused after its signature was found good and before anything is read.
    let (gets, _) = counted(&site, &mut line, (0..TIMES).map(|_| signer.get("/v1/jobs?cursor=none"))).await?;
    let (submits, commits) = counted(&site, &mut line, singles(&site, TIMES)?).await?;
    Ok(vec![
        Figure::at_most("statements_per_signed_get", gets, "", 0.0),
        Figure::told("statements_per_submit", submits, ""),
        Figure::told("transactions_per_submit", commits, ""),
    ])
}

/// Statements and transactions of each of these requests, beyond what the coordinator does by itself meanwhile.
async fn counted(site: &Site, line: &mut Line, requests: impl IntoIterator<Item = Vec<u8>>) -> Result<(f64, f64)> {
    let mut least = (f64::MAX, f64::MAX);
    for request in requests {
        let before = counters(site).await?;
        line.ask(&request).await?;
        let after = counters(site).await?;
        least = (least.0.min(after.0 - before.0), least.1.min(after.1 - before.1));
    }
    Ok(least)
}

/// Statements and transactions so far.
pub async fn counters(site: &Site) -> Result<(f64, f64)> {
    // Whoever does not sign has a connection for one request.
    let text = site.line().await?.ask(b"GET /metrics HTTP/1.1\r\nhost: here\r\n\r\n").await?;
    let text = String::from_utf8(text.body)?;
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok()).with_context(|| format!("no {name} in /metrics"))
    };
    Ok((number("ffleet_db_statements_total")?, number("ffleet_db_commits_total")?))
}
