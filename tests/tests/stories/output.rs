//! What the program prints arrives: every byte of stdout, every line of stderr, without anybody waiting for a newline.

use ffleet_protocol::{
    Timestamp,
    log::{Data, FollowRecord, LineEnd, Progress, Record},
    state::{JobStatus, Stream},
    task::Exit,
};
use ffleet_tests::{Fleet, PATIENCE, WorkerSetup, job, noise, output, spec, stderr_text};
use serde_json::json;

#[tokio::test]
async fn stdout_is_bytes() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let ran = fleet.ffleet(["submit", "--", "-fake-bytes", "7:3000000"]).run().await.expect(0);
    assert_eq!(ran.stdout.len(), 3_000_000);
    assert!(ran.stdout == noise(7, 3_000_000), "the bytes differ");
}

#[tokio::test]
async fn streams_keep_apart_and_keep_their_order() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let steps = ["-fake-lines", "300", "-fake-out-lines", "300", "-fake-lines", "2"];
    let ran = fleet.ffleet(["submit", "--"].into_iter().chain(steps)).run().await.expect(0);
    let numbered = |word: &str, count| (1..=count).map(|n| format!("{word} {n}\n")).collect::<String>();
    assert_eq!(ran.text(), numbered("out", 300));
    let lines: String =
        ran.stderr.lines().filter(|line| line.starts_with("line ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(lines, numbered("line", 300) + &numbered("line", 2));
}

#[tokio::test]
async fn a_status_line_is_a_record_although_no_newline_comes() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let gate = fleet.gate("go");
    let id = fleet.submit(&job(["-fake-status", "3", "-fake-gate", &gate.template()])).await;
    // The program still waits, and has printed nothing but carriage returns.
    fleet.wait(id).until_says("frame= 3").await;
    gate.open();
    fleet.wait(id).until(JobStatus::Completed).await;
    let seen = fleet.wait(id).everything().await;
    let ends: Vec<_> = seen
        .iter()
        .filter_map(|record| match record {
            FollowRecord::Output { record, .. } if record.stream == Stream::Stderr => Some(record.end),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [Some(LineEnd::Cr); 3]);
}

#[tokio::test]
async fn a_flood_without_newlines_stalls_nobody() {
    let fleet = Fleet::setup().log_cap(262_144).start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(2)).await;
    let flood = fleet.submit(&job(["-fake-flood-cr", "12000000", "-fake-say", "after the flood"])).await;
    let lines = fleet.submit(&job(["-fake-flood", "6000000", "-fake-say", "after the flood"])).await;
    for id in [flood, lines] {
        fleet.wait(id).patiently(PATIENCE * 4).until(JobStatus::Completed).await;
        let seen = fleet.wait(id).patiently(PATIENCE * 4).everything().await;
        assert_eq!(stderr_text(&seen).last().map(String::as_str), Some("after the flood"), "{}", outline(&seen));
        let kept: usize = stderr_text(&seen).iter().map(String::len).sum();
        assert!(kept < 1_000_000, "{kept} bytes are kept");
        let mut next = 1;
        for record in &seen {
            if let FollowRecord::Output { record, .. } = record {
                assert_eq!(record.seq, next, "every hole is said");
                next = record.last_seq() + 1;
            }
        }
        let holes = |record: &FollowRecord| matches!(record, FollowRecord::Output { record, .. } if matches!(record.data, Data::Dropped(_)));
        assert!(seen.iter().any(holes), "something had to go");
    }
}

#[tokio::test]
async fn too_much_stdout_ends_the_task() {
    let fleet = Fleet::setup().config("[limits]\nstdout_max_bytes = 65536\n").start().await;
    fleet.worker("box").await;
    let id = fleet.submit(&job(["-fake-bytes", "1:2000000", "-fake-hang"])).await;
    let end = fleet.wait(id).until(JobStatus::Failed).await;
    assert_eq!(end.summary.outcome.unwrap().failure.unwrap().as_str(), "stdout_too_large");
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn stdout_of_a_rerun_is_shown_once() {
    let fleet = Fleet::start().await;
    let (first, second) = (fleet.hand("first", 1).await, fleet.hand("second", 1).await);
    let again = json!({ "rerun_stdout": true, "retry": { "retries": 1, "on": ["any"] } });
    let id = fleet.submit(&spec(["unused"], again)).await;
    for (hand, code, text) in [(&first, 1, "half"), (&second, 0, "whole")] {
        let held = hand.take().await;
        let record = Record {
            seq: 1,
            stream: Stream::Stdout,
            at: Timestamp::UNIX_EPOCH,
            data: Data::Text(text.to_owned()),
            end: None,
        };
        hand.append(&held, vec![record]).await.unwrap();
        hand.finish_with(&held, Exit::Code { code }, None, 1).await.unwrap();
    }
    let seen = fleet.wait(id).everything().await;
    assert_eq!(output(&seen, Stream::Stdout), b"whole");
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
}

#[tokio::test]
async fn delivered_stdout_is_not_delivered_twice() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let again = json!({ "retry": { "retries": 3, "on": ["any"] } });
    let id = fleet.submit(&spec(["-fake-out", "seen", "-fake-exit", "1"], again)).await;
    let end = fleet.wait(id).until(JobStatus::Failed).await;
    assert_eq!(end.tasks[0].attempts.len(), 1, "its reader would have seen the line again");
    assert_eq!(output(&fleet.wait(id).everything().await, Stream::Stdout), b"seen\n");
}

#[tokio::test]
async fn worker_and_follower_agree_on_every_number() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let id = fleet.submit(&job(["-fake-lines", "2000", "-fake-bytes", "3:100000", "-fake-lines", "1"])).await;
    let seen = fleet.wait(id).everything().await;
    let numbers: Vec<_> = seen
        .iter()
        .filter_map(|record| match record {
            FollowRecord::Output { record, .. } => Some(record.seq),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(output(&seen, Stream::Stdout) == noise(3, 100_000));
}

/// A program may stand still for hours after any report, so none of them may be left out as being one too many.
#[tokio::test]
async fn the_last_report_of_progress_is_the_one_that_stands() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("hand", 1).await;
    let id = fleet.submit(&job(["-version"])).await;
    let held = hand.claim().await;
    hand.accept(&held).await.unwrap();
    for percent in [1.0, 2.0, 3.0] {
        hand.tell(&held, Progress { percent: Some(percent), ..Progress::default() }).await.unwrap();
        let told = fleet.job(id).await.tasks[0].progress.clone();
        assert_eq!(told.and_then(|progress| progress.percent), Some(percent));
    }
    hand.finish(&held, 0).await.unwrap();
}

/// Numbers and sizes of the last records, for messages that can be read.
fn outline(seen: &[FollowRecord]) -> String {
    let mut lines = Vec::new();
    for record in seen {
        if let FollowRecord::Output { record, .. } = record {
            let what = match &record.data {
                Data::Text(text) | Data::B64(text) => format!("{} bytes, {:?}", text.len(), record.end),
                Data::Dropped(dropped) => format!("to {} {:?}", dropped.to, dropped.reason),
            };
            lines.push(format!("{} {} {what}", record.stream, record.seq));
        }
    }
    format!("the last of {} records:\n{}", lines.len(), lines[lines.len().saturating_sub(12)..].join("\n"))
}
