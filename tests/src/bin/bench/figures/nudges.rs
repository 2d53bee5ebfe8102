//! A job that is submitted at one coordinator while a worker waits at another.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ffleet_servers::{MariaDb, Mosquitto, RabbitMq};
use ffleet_tests::load::{Samples, SimWorker, Site};
use futures_util::future::try_join;

use crate::{
    Bench,
    jobs::{good, singles},
    report::Figure,
};

/// By then a claim that was sent waits at its coordinator.
const SETTLED: Duration = Duration::from_millis(10);

/// As often as real workers speak.
const HEARTBEAT: Duration = Duration::from_secs(5);

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let server = MariaDb::start();
    let mut figures = Vec::new();
    let tailed = across(bench, &server, "", 200).await?;
    figures.push(Figure::told("across_http_p50_ms", tailed.quantile_ms(0.5), "ms"));
    figures.push(Figure::at_most("across_http_p99_ms", tailed.quantile_ms(0.99), "ms", 300.0));

    let rabbit = RabbitMq::start();
    rabbit.add_user("ffleet", "a-password", "/");
    let more = format!("[notify.amqp]\nurls = [{:?}]\n", rabbit.url("ffleet", "a-password", "/"));
    let amqp = across(bench, &server, &more, 1_000).await?;
    figures.push(Figure::at_most("across_amqp_p50_ms", amqp.quantile_ms(0.5), "ms", 5.0));
    figures.push(Figure::at_most("across_amqp_p99_ms", amqp.quantile_ms(0.99), "ms", 25.0));

    let mosquitto = Mosquitto::start("allow_anonymous true\n");
    let more = format!("[notify.mqtt]\nurls = [\"mqtt://127.0.0.1:{}\"]\n", mosquitto.port());
    let mqtt = across(bench, &server, &more, 1_000).await?;
    figures.push(Figure::at_most("across_mqtt_p50_ms", mqtt.quantile_ms(0.5), "ms", 5.0));
    figures.push(Figure::at_most("across_mqtt_p99_ms", mqtt.quantile_ms(0.99), "ms", 25.0));
    Ok(figures)
}

async fn across(bench: &Bench, server: &MariaDb, more: &str, count: u64) -> Result<Samples> {
    let url = server.database();
    let here = Site::on(&bench.out, &bench.programs, Some(&url), more).await?;
    let there = here.another(&url).await?;
    let mut worker = SimWorker::register(&here, "farm-1", 1, &[]).await?;
    let mut client = there.line().await?;
    let (mut samples, mut spoke, mut beat) = (Samples::default(), Instant::now(), 0);
    // The first ones, while brokers are being connected to, are not counted.
    for (n, request) in singles(&there, bench.count(count) + 20)?.into_iter().enumerate() {
        if spoke.elapsed() > HEARTBEAT {
            (spoke, beat) = (Instant::now(), beat + 1);
            worker.heartbeat(beat).await?;
        }
        let claim = worker.claim_request(1, 20);
        let submit = async {
            tokio::time::sleep_until((Instant::now() + SETTLED).into()).await;
            good(&mut client, &request).await?;
            anyhow::Ok(Instant::now())
        };
        let claim = async { Ok((worker.claim_with(&claim).await?, Instant::now())) };
        let (answered, (granted, had)) = try_join(submit, claim).await?;
        if n >= 20 {
            samples.push(had.saturating_duration_since(answered));
        }
        let task = granted.first().context("a claim that was woken without a task")?;
        worker.accept(task).await?;
        worker.finish(task, 0).await?;
    }
    Ok(samples)
}
