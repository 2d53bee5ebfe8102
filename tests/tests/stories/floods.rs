//! More output than anybody wants to keep, and output that is no text.

use ffleet_protocol::{
    id::JobId,
    log::{Data, DropReason, Dropped, FollowRecord, LineEnd, Record},
    state::{JobStatus, Stream},
};
use ffleet_tests::{Fleet, PATIENCE, Ran, job, noise, output};

const MIB: u64 = 1024 * 1024;
/// What is kept of a log when nobody says otherwise.
const CAP: u64 = 8 * MIB;
/// What a worker may hold while it passes a flood on: its spool in memory and a few batches on their way.
const WORKER: u64 = 96 * MIB;
/// The same for a coordinator: the page caches of its connections, and batches on their way.
const COORDINATOR: u64 = 192 * MIB;

/// The records of a job's stderr, for a reader who comes afterwards.
async fn kept(fleet: &Fleet, id: JobId) -> Vec<Record> {
    let seen = fleet.wait(id).patiently(PATIENCE * 4).everything().await;
    let records = seen.into_iter().filter_map(|record| match record {
        FollowRecord::Output { record, .. } => Some(record),
        _ => None,
    });
    records.collect()
}

/// Every number is there, once, in a record or in a hole; gives the holes.
fn holes(records: &[Record]) -> Vec<Dropped> {
    let mut next = 1;
    for record in records {
        assert_eq!(record.seq, next, "every hole is said");
        next = record.last_seq() + 1;
    }
    let dropped = records.iter().filter_map(|record| match &record.data {
        Data::Dropped(dropped) => Some(dropped.clone()),
        Data::Text(_) | Data::B64(_) => None,
    });
    dropped.collect()
}

fn said(record: Option<&Record>) -> String {
    String::from_utf8(record.and_then(|record| record.data.bytes()).unwrap_or_default()).unwrap()
}

fn bytes(records: &[Record]) -> u64 {
    records.iter().map(|record| record.data.bytes().unwrap_or_default().len() as u64).sum()
}

#[tokio::test]
async fn status_lines_without_end_stall_nothing() {
    let fleet = Fleet::start().await;
    let worker = fleet.worker("box").await;
    // The first fills a pipe exactly, which is where a reader that waits for a newline stops the program for ever.
    for (step, size) in [("-fake-flood-cr", "65536"), ("-fake-flood-wide", "67108864")] {
        let id = fleet.submit(&job([step, size, "-fake-say", "after the flood"])).await;
        let end = fleet.wait(id).patiently(PATIENCE * 4).until_over().await;
        assert_eq!((end.summary.status, end.tasks[0].epoch), (JobStatus::Completed, 1));
        let records = kept(&fleet, id).await;
        holes(&records);
        assert!(said(records.last()).ends_with("after the flood"));
        assert!(bytes(&records) < CAP * 2, "{} bytes are kept", bytes(&records));
    }
    let (worker, coordinator) = (worker.process().peak_memory(), fleet.coordinator().process().peak_memory());
    assert!(worker < WORKER, "the worker took {} MiB", worker / MIB);
    assert!(coordinator < COORDINATOR, "the coordinator took {} MiB", coordinator / MIB);
}

#[tokio::test]
async fn a_flood_of_256_mib_stays_within_the_log_cap_and_the_memory_bound() {
    let fleet = Fleet::start().await;
    let worker = fleet.worker("box").await;
    let flood = (256 * MIB).to_string();
    let id = fleet.submit(&job(["-fake-say", "before", "-fake-flood-long", &flood, "-fake-say", "after"])).await;
    let end = fleet.wait(id).patiently(PATIENCE * 4).until_over().await;
    assert_eq!((end.summary.status, end.tasks[0].epoch), (JobStatus::Completed, 1));
    let records = kept(&fleet, id).await;
    let holes = holes(&records);
    assert_eq!(holes.len(), 1, "one continuous hole is one record: {holes:?}");
    assert_eq!(holes[0].reason, DropReason::LogCap);
    assert_eq!(said(records.first()), "before");
    assert!(said(records.last()).ends_with("after"));
    assert!(bytes(&records) < CAP * 2, "{} bytes are kept", bytes(&records));
    let (worker, coordinator) = (worker.process().peak_memory(), fleet.coordinator().process().peak_memory());
    println!("worker {} MiB, coordinator {} MiB", worker / MIB, coordinator / MIB);
    assert!(worker < WORKER, "the worker took {} MiB", worker / MIB);
    assert!(coordinator < COORDINATOR, "the coordinator took {} MiB", coordinator / MIB);
}

#[tokio::test]
async fn bytes_that_are_no_text_survive_on_both_streams() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let id = fleet.submit(&job(["-fake-bytes", "11:300000", "-fake-err-bytes", "12:300000"])).await;
    let seen = fleet.wait(id).everything().await;
    assert!(output(&seen, Stream::Stdout) == noise(11, 300_000), "stdout differs");
    let mut stderr = Vec::new();
    for record in &seen {
        if let FollowRecord::Output { record, .. } = record
            && record.stream == Stream::Stderr
        {
            stderr.extend(record.data.bytes().unwrap());
            match record.end {
                Some(LineEnd::Lf) => stderr.push(b'\n'),
                Some(LineEnd::Cr) => stderr.push(b'\r'),
                None => {}
            }
        }
    }
    let expected = noise(12, 300_000);
    assert!(expected.contains(&0) && std::str::from_utf8(&expected).is_err());
    assert!(stderr == expected, "stderr differs: {} bytes of {}", stderr.len(), expected.len());
}

#[tokio::test]
async fn sixty_mib_of_standard_output_arrive_byte_for_byte() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let count = 60 * MIB;
    let ffleet = fleet.ffleet(["submit", "--", "-fake-bytes", &format!("7:{count}")]).start();
    let ran = Ran::patiently(&ffleet, PATIENCE * 4).await.expect(0);
    assert_eq!(ran.stdout.len() as u64, count);
    assert!(ran.stdout == noise(7, count), "the bytes differ");
}
