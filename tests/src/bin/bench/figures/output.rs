//! Output: lines of 80 bytes from a worker to whoever follows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ffleet_protocol::{
    Timestamp,
    job::Submitted,
    log::{Data, LineEnd, Record},
    state::Stream,
};
use ffleet_tests::load::{Granted, Pieces, SimWorker, Site};
use futures_util::future::try_join;

use crate::{
    Bench,
    jobs::{good, rate, spec},
    raw,
    report::Figure,
};

/// Lines of one job: below the limit of a task's log, so that nothing is pruned.
const LINES: u64 = 80_000;
/// Lines of one batch; the worker sends as many bytes.
const BATCH: usize = 3_000;

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    let jobs = if bench.quick { 1 } else { 6 };
    let mut simulated = Vec::new();
    let mut worker = SimWorker::register(&site, "farm-1", 1, &[]).await?;
    for _ in 0..jobs {
        simulated.push(by_a_simulated_worker(&site, &mut worker).await?);
    }
    drop(worker);
    let site = bench.site("").await?;
    let programs = format!("slots = 1\n[programs]\nffmpeg = {:?}\nffprobe = \"\"", bench.program("fake-ffmpeg"));
    let _worker = site.worker("farm-1", &programs).await?;
    let mut real = Vec::new();
    for _ in 0..jobs {
        real.push(by_a_real_worker(&site).await?);
    }
    let pipe = raw::pipe(bench.count(20_000_000))?;
    Ok(vec![
        Figure::at_least("output_lines_per_s", median(simulated), "lines/s", 200_000.0).beside(pipe),
        Figure::told("output_real_worker_lines_per_s", median(real), "lines/s").beside(pipe),
    ])
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

async fn by_a_simulated_worker(site: &Site, worker: &mut SimWorker) -> Result<f64> {
    let (_, mut follower) = follow(site, &["-i", "x"]).await?;
    let task = worker.claim(1, 20).await?.into_iter().next().context("a task to claim")?;
    worker.accept(&task).await?;
    let all = lines(LINES);
    let batches: Vec<_> = all.chunks(BATCH).map(|part| worker.output_request(&task, part.to_vec())).collect();
    let began = Instant::now();
    let (sent, read) = try_join(send(worker, &task, &batches), follower.read()).await?;
    let _: () = sent;
    ensure!(read.lines == LINES, "{} of {LINES} lines arrived", read.lines);
    Ok(rate(LINES, read.last - began))
}

async fn send(worker: &mut SimWorker, task: &Granted, batches: &[Vec<u8>]) -> Result<()> {
    for batch in batches {
        worker.send(batch).await?;
    }
    worker.finish(task, LINES).await?;
    Ok(())
}

/// From the first line that arrives to the last one: what comes before is the start of a program.
async fn by_a_real_worker(site: &Site) -> Result<f64> {
    let (_, mut follower) = follow(site, &["-fake-flood", &(LINES * 80).to_string()]).await?;
    let read = follower.read().await?;
    ensure!(read.lines == LINES, "{} of {LINES} lines arrived", read.lines);
    let first = read.first.context("no line at all")?;
    Ok(rate(LINES, read.last - first))
}

/// Records as a worker makes them of lines of 80 bytes.
pub fn lines(count: u64) -> Vec<Record> {
    let record = |seq| Record {
        seq,
        stream: Stream::Stderr,
        at: Timestamp::now(),
        data: Data::Text(format!("{seq:0>79}")),
        end: Some(LineEnd::Lf),
    };
    (1..=count).map(record).collect()
}

/// Submits a job with these arguments and follows it.
async fn follow(site: &Site, args: &[&str]) -> Result<(Submitted, Follower)> {
    let signer = site.signer("studio")?;
    let answer = good(&mut site.line().await?, &signer.send_once("/v1/jobs", &spec(args)?)).await?;
    let job: Submitted = serde_json::from_slice(&answer)?;
    let request = signer.get(&format!("/v1/jobs/{}/logs?follow=true", job.id));
    let pieces = site.line().await?.listen(&request).await?;
    Ok((job, Follower { pieces }))
}

/// Reads what is followed, with as little work as finds a gap.
struct Follower {
    pieces: Pieces,
}

struct Read {
    lines: u64,
    first: Option<Instant>,
    last: Instant,
}

impl Follower {
    async fn read(&mut self) -> Result<Read> {
        let mut read = Read { lines: 0, first: None, last: Instant::now() };
        let mut rest = Vec::new();
        let mut ended = false;
        while self.pieces.next(&mut rest).await? {
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in rest[..whole].split(|byte| *byte == b'\n') {
                match number(line) {
                    Some(seq) if seq == read.lines + 1 => {
                        read.first.get_or_insert_with(Instant::now);
                        read.last = Instant::now();
                        read.lines = seq;
                    }
                    Some(seq) => bail!("line {seq} came after {}", read.lines),
                    None => ended |= line.starts_with(b"{\"type\":\"outcome\""),
                }
            }
            rest.drain(..whole);
        }
        ensure!(ended, "the stream broke off");
        Ok(read)
    }
}

/// The number of a line of output.
fn number(line: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"seq\":";
    line.strip_prefix(b"{\"type\":\"output\"")?;
    let at = line.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// For pacing.
pub const TICK: Duration = Duration::from_millis(100);
