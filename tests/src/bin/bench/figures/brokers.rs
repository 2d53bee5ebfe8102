//! Submits while a broker stands still, and while there is none, beside those while it works.

use std::time::Instant;

use anyhow::Result;
use ffleet_servers::{MariaDb, RabbitMq, free_port};
use ffleet_tests::load::{Line, Samples, SimWorker, Site};

use crate::{
    Bench,
    jobs::{good, singles},
    report::Figure,
};

/// Three coordinators that differ in their broker alone, and take turns: whatever else the machine does happens to all.
pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let server = MariaDb::start();
    let [works, stopped] = [RabbitMq::start(), RabbitMq::start()];
    let account = |broker: &RabbitMq| {
        broker.add_user("ffleet", "a-password", "/");
        broker.url("ffleet", "a-password", "/")
    };
    let nobody = format!("amqp://ffleet:a-password@127.0.0.1:{}/%2F", free_port());
    let mut turns = Vec::new();
    for url in [account(&works), account(&stopped), nobody] {
        turns.push(Turn::at(bench, &server, &url).await?);
    }
    for n in 0..bench.count(3_000) + SETTLING {
        // By now the first two are connected to theirs.
        if n == SETTLING {
            stopped.pause();
        }
        for turn in &mut turns {
            turn.submit(n >= SETTLING).await?;
        }
    }
    stopped.resume();
    let medians: Vec<_> = turns.iter().map(|turn| turn.samples.median_ms()).collect();
    let ratio = |name, of: f64| Figure::at_most(name, of / medians[0], "", 1.2);
    Ok(vec![
        Figure::told("submit_beside_broker_p50_ms", medians[0], "ms"),
        ratio("submit_broker_stopped_ratio", medians[1]),
        ratio("submit_broker_gone_ratio", medians[2]),
    ])
}

/// Submits of each that are not counted.
const SETTLING: u64 = 300;

struct Turn {
    line: Line,
    requests: std::vec::IntoIter<Vec<u8>>,
    samples: Samples,
    _worker: SimWorker,
    _site: Site,
}

impl Turn {
    async fn at(bench: &Bench, server: &MariaDb, broker: &str) -> Result<Self> {
        let more = format!("[notify.amqp]\nurls = [{broker:?}]\n");
        let site = Site::on(&bench.out, &bench.programs, Some(&server.database()), &more).await?;
        // A worker that could run them, or every answer would warn that there is none.
        let worker = SimWorker::register(&site, "farm-1", 1, &[]).await?;
        let requests = singles(&site, bench.count(3_000) + SETTLING)?.into_iter();
        Ok(Self { line: site.line().await?, requests, samples: Samples::default(), _worker: worker, _site: site })
    }

    async fn submit(&mut self, counts: bool) -> Result<()> {
        let Some(request) = self.requests.next() else { return Ok(()) };
        let began = Instant::now();
        good(&mut self.line, &request).await?;
        if counts {
            self.samples.push(began.elapsed());
        }
        Ok(())
    }
}
