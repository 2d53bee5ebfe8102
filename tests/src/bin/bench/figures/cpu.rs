//! What an encode costs us, beside what it costs FFmpeg.

use anyhow::{Context, Result, ensure};
use ffleet_protocol::job::Submitted;

use crate::{
    Bench,
    jobs::{good, spec},
    report::Figure,
};

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    let paths = format!("slots = 1\n[paths]\nMedia = {:?}", site.path("media"));
    let worker = site.worker("farm-1", &paths).await?;
    let source = format!("testsrc2=size=1280x720:rate=30:duration={}", bench.count(60));
    let args = ["-f", "lavfi", "-i", &source, "-c:v", "libx264", "-preset", "medium", "$Media/out.mkv"];
    let signer = site.signer("studio")?;
    let (coordinator_before, worker_before) = (site.usage()?, worker.usage()?);
    let answer = good(&mut site.line().await?, &signer.send_once("/v1/jobs", &spec(&args)?)).await?;
    let job: Submitted = serde_json::from_slice(&answer)?;
    // Somebody follows, as is usual.
    let request = signer.get(&format!("/v1/jobs/{}/logs?follow=true", job.id));
    let mut pieces = site.line().await?.listen(&request).await?;
    let mut said = Vec::new();
    while pieces.next(&mut said).await? {}
    let said = String::from_utf8_lossy(&said);
    let outcome = said.lines().last().context("nothing was said")?;
    ensure!(outcome.contains("completed"), "the encode ended badly: {outcome}");
    let (coordinator, worker) = (site.usage()?, worker.usage()?);
    let ffmpeg = (worker.children - worker_before.children).as_secs_f64();
    let ours = (coordinator.cpu - coordinator_before.cpu + worker.cpu - worker_before.cpu).as_secs_f64();
    ensure!(ffmpeg > 0.0, "the worker has waited for no child");
    Ok(vec![
        Figure::at_most("encode_overhead_percent", ours / ffmpeg * 100.0, "%", 1.0),
        Figure::told("encode_overhead_cpu_s", ours, "s").beside(ffmpeg),
    ])
}
