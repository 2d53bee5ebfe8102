//! The coordinator goes away: again and again, or for long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ffleet_client::Follower;
use ffleet_protocol::{
    id::JobId,
    job::JobView,
    log::{FollowRecord, Record},
    state::{JobStatus, Stream},
};
use ffleet_tests::{Fleet, Gate, PATIENCE, Ran, SHORT_LEASES, WorkerSetup, job, spec};
use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::sync::watch;

const JOBS: usize = 50;
/// Of them so many are submitted and followed by the program `ffleet`.
const BY_PROGRAM: usize = 10;
const LINES: usize = 60;
const KILLS: usize = 20;
/// A failing run can be had again with the seed that it printed.
const SEED: u64 = 0x5eed;

/// Long enough for an outage under load. Nobody should have to notice one.
const PATIENT: Duration = Duration::from_secs(150);

/// What followers have seen so far, counted: the clock of this story.
type Seen = watch::Sender<usize>;

#[tokio::test]
async fn a_coordinator_that_is_killed_twenty_times_loses_nothing_and_bothers_nobody() {
    println!("seed {SEED:#x}");
    let fleet = Fleet::start().await;
    for name in ["left", "right"] {
        fleet.worker_with(WorkerSetup::new(name).slots(4)).await;
    }
    let (begun, ended) = (fleet.gate("begun"), fleet.gate("ended"));
    let steps = |n: usize| {
        let (begun, ended) = (begun.template(), ended.template());
        let slow = format!("{LINES}:50");
        let steps =
            ["-fake-append", &begun, &n.to_string(), "-fake-slow", &slow, "-fake-append", &ended, &n.to_string()];
        steps.map(str::to_owned)
    };
    let seen = Seen::default();
    let done = Arc::<AtomicUsize>::default();

    let by_library = (0..JOBS - BY_PROGRAM).map(|n| {
        let (fleet, seen, done, steps) = (&fleet, &seen, Arc::clone(&done), steps(n));
        async move {
            let api = fleet.api().with_deadline(PATIENT);
            let id = api.submit(&job(steps), &format!("key-{n}")).await.unwrap().id;
            let records = followed(fleet, id, seen).await;
            done.fetch_add(1, Ordering::Relaxed);
            seen.send_modify(|seen| *seen += 1);
            (id, records)
        }
    });
    let by_program = (JOBS - BY_PROGRAM..JOBS).map(|n| {
        let (fleet, seen, done, steps) = (&fleet, &seen, Arc::clone(&done), steps(n));
        async move {
            let local = steps.map(|step| step.replace("$Media", fleet.media().to_str().unwrap()));
            let ffleet = fleet.ffleet(["submit".to_owned(), "--".to_owned()].iter().chain(&local));
            let ffleet = ffleet.env("FFLEET_DEADLINE_S", "150").start();
            let ran = Ran::patiently(&ffleet, PATIENT).await.expect(0);
            done.fetch_add(1, Ordering::Relaxed);
            seen.send_modify(|seen| *seen += 1);
            ran
        }
    });
    let killing = async {
        let mut random = StdRng::seed_from_u64(SEED);
        let mut outlived = false;
        for _ in 0..KILLS {
            let wanted = *seen.borrow() + random.random_range(1..=60);
            let mut changes = seen.subscribe();
            let moment = changes.wait_for(|seen| *seen >= wanted);
            let _ = tokio::time::timeout(PATIENCE, moment).await.expect("somebody sees something").unwrap();
            assert!(
                done.load(Ordering::Relaxed) < JOBS,
                "everything was over before the coordinator had died often enough"
            );
            fleet.coordinator().kill9().await;
            if !outlived && lines(&begun) > lines(&ended) {
                // The encodes go on: one of them ends, though nobody can be told.
                ended.grows().await;
                outlived = true;
            }
            fleet.coordinator().restart().await;
        }
        outlived
    };
    let (library, program, outlived) = tokio::join!(join_all(by_library), join_all(by_program), killing);
    assert!(outlived, "no encode went on while the coordinator was away");

    let page = fleet.chief().jobs(&serde_json::from_value(json!({ "limit": 1000 })).unwrap()).await.unwrap();
    assert_eq!(page.jobs.len(), JOBS, "each submit is one job");
    let mut attempts = 0;
    for summary in &page.jobs {
        let view = fleet.job(summary.id).await;
        assert_eq!(view.summary.status, JobStatus::Completed);
        attempts += view.tasks[0].attempts.len();
    }
    assert_eq!(begun.text().lines().count(), attempts, "what ran is what was recorded");
    for (id, records) in library {
        gapless(&fleet.job(id).await, &records);
    }
    for ran in program {
        let lines: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("line ")).collect();
        if attempts == JOBS {
            assert_eq!(lines, (1..=LINES).map(|n| format!("line {n}")).collect::<Vec<_>>(), "{}", ran.stderr);
        }
    }
}

fn lines(gate: &Gate) -> usize {
    if gate.is_open() { gate.text().lines().count() } else { 0 }
}

/// Follows a job to its end; every record counts.
async fn followed(fleet: &Fleet, id: JobId, seen: &Seen) -> Vec<(u32, Record)> {
    let mut follower = Follower::new(fleet.api().clone(), id, None);
    let mut records = Vec::new();
    let following = async {
        while let Some(record) = follower.next().await.unwrap() {
            if let FollowRecord::Output { epoch, record, .. } = record {
                records.push((epoch, record));
                seen.send_modify(|seen| *seen += 1);
            }
        }
    };
    tokio::time::timeout(PATIENT, following).await.unwrap();
    records
}

/// No record is missing, repeated or out of order; the attempt that ended well said everything.
fn gapless(view: &JobView, records: &[(u32, Record)]) {
    let last = view.tasks[0].epoch;
    for epoch in 1..=last {
        let of_this: Vec<_> = records.iter().filter(|(e, _)| *e == epoch).map(|(_, record)| record).collect();
        let numbers: Vec<_> = of_this.iter().map(|record| record.seq).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "attempt {epoch}");
        let lines: Vec<_> = of_this
            .iter()
            .filter(|record| record.stream == Stream::Stderr)
            .map(|record| String::from_utf8(record.data.bytes().unwrap()).unwrap())
            .collect();
        let expected: Vec<_> = (1..=LINES).map(|n| format!("line {n}")).collect();
        assert!(lines.len() <= LINES && lines[..] == expected[..lines.len()], "attempt {epoch}: {lines:?}");
        assert!(epoch < last || lines.len() == LINES, "the last attempt said {} lines", lines.len());
    }
    assert!(records.is_sorted_by_key(|(epoch, _)| *epoch));
}

#[tokio::test]
async fn a_coordinator_that_was_away_for_longer_than_every_timeout_finds_each_task_with_one_end() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(3)).await;
    let (finish, again) = (fleet.gate("finish"), fleet.gate("again"));
    let up = ["-fake-say", "up"];
    // One that ends by itself meanwhile, one that does not, one that nobody has begun, one whose client waits for it.
    let ends = fleet.submit(&job(up.into_iter().chain(["-fake-gate", &finish.template(), "-fake-say", "over"]))).await;
    let stays = fleet.submit(&job(up.into_iter().chain(["-fake-gate", &again.template()]))).await;
    let steps = ["-fake-say", "up", "-fake-gate", again.path()];
    let watched = fleet.ffleet(["submit", "--monitor", "--"].into_iter().chain(steps));
    let watched = watched.env("FFLEET_DEADLINE_S", "120").start();
    watched.says("up").await;
    for id in [ends, stays] {
        fleet.wait(id).until_says("up").await;
    }
    let waits = fleet.submit(&spec(["-fake-say", "x"], json!({ "priority": -5 }))).await;

    fleet.coordinator().kill9().await;
    finish.open();
    // The worker stops what it may not believe to be its own any more, by its own clock.
    fleet.gone("mnt-box").await;
    // A client that asks for 20 s measures the time: leases, silence and absence are all over after 15 s.
    let _ = fleet.ffleet(["status"]).env("FFLEET_DEADLINE_S", "20").run().await.expect(125);
    fleet.coordinator().restart().await;

    again.open();
    let _ = Ran::of(&watched).await.expect(0);
    for id in [ends, stays, waits] {
        let end = fleet.wait(id).until(JobStatus::Completed).await;
        let good = end.tasks[0].attempts.iter().filter(|attempt| attempt.exit_code == Some(0)).count();
        assert_eq!(good, 1, "{:?}", end.tasks[0].attempts);
    }
    let (ends, stays) = (fleet.job(ends).await, fleet.job(stays).await);
    assert_eq!(ends.tasks[0].epoch, 1, "its end was kept and told");
    assert_eq!(stays.tasks[0].epoch, 2, "it was stopped and begun again");
}
