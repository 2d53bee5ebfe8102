//! Three coordinators, each at a node of its own of a cluster, beside two on one MariaDB.

use anyhow::Result;
use ffleet_servers::{Galera, MariaDb};
use ffleet_tests::load::Site;

use super::mariadb::throughput;
use crate::{Bench, report::Figure};

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let (one_submits, one_lives) = {
        let server = MariaDb::start();
        let url = server.database();
        let first = Site::on(&bench.out, &bench.programs, Some(&url), "").await?;
        let second = first.another(&url).await?;
        throughput(bench, &[&first, &second]).await?
    };
    let cluster = Galera::start();
    let [url, second, third] = cluster.database();
    let first = Site::on(&bench.out, &bench.programs, Some(&url), "").await?;
    let (second, third) = (first.another(&second).await?, first.another(&third).await?);
    let (submits, lives) = throughput(bench, &[&first, &second, &third]).await?;
    let part = |name, value, of| Figure::at_least(name, value, "jobs/s", 0.6 * of).beside(of);
    Ok(vec![
        part("galera_submit_jobs_per_s", submits, one_submits),
        part("galera_life_tasks_per_s", lives.rate, one_lives.rate),
        Figure::told("galera_statements_per_life", lives.statements, ""),
    ])
}
