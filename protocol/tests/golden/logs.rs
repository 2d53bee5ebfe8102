//! Output, appended and followed.

use ffleet_protocol::{
    job::AttemptEnd,
    log::{Cursor, Data, DropReason, Dropped, FollowRecord, LineEnd, LogAnswer, LogBatch, Position, Record},
    state::{JobStatus, Stream},
};

use crate::{Golden, values::*};

fn record(seq: u64, stream: Stream, data: Data, end: Option<LineEnd>) -> Record {
    Record { seq, stream, at: at(5), data, end }
}

fn records() -> Vec<Record> {
    let lost = Dropped { to: 7, bytes: Some(4096), reason: DropReason::SpoolFull };
    vec![
        record(1, Stream::Stderr, Data::of(b"frame=  10".to_vec()), Some(LineEnd::Cr)),
        record(2, Stream::Stderr, Data::of("Fräulein".into()), Some(LineEnd::Lf)),
        record(3, Stream::Stdout, Data::of(b"\xff\x00".to_vec()), None),
        record(4, Stream::Stdout, Data::Dropped(lost), None),
        record(8, Stream::Worker, Data::of(b"ended with code 0".to_vec()), None),
    ]
}

pub(crate) fn check(golden: &mut Golden) {
    golden.check(
        "log_batch",
        &LogBatch {
            worker: name("gpu-1"),
            incarnation: incarnation(),
            epoch: 2,
            token: token(),
            records: records(),
            progress: Some(progress()),
        },
    );
    golden.check("log_answer", &LogAnswer { next_seq: 9 });
    for (name, reason) in
        [("log_cap", DropReason::LogCap), ("spool_full", DropReason::SpoolFull), ("spool_lost", DropReason::SpoolLost)]
    {
        golden.check(&format!("dropped_{name}"), &Dropped { to: 7, bytes: None, reason });
    }
    let position = Position { epoch: 2, seq: 8, stdout_seq: 3, end_told: true };
    let cursor = Cursor { tasks: [(task(), position)].into() };
    let worker = || name("gpu-1");
    let of_the_worker = records().pop().unwrap();
    let hole = records().swap_remove(3);
    for (name, record) in [
        ("status", FollowRecord::Status { job: job(), status: JobStatus::Running }),
        ("attempt", FollowRecord::Attempt { task: task(), epoch: 2, worker: worker() }),
        ("output", FollowRecord::Output { task: task(), epoch: 2, record: of_the_worker }),
        ("output_dropped", FollowRecord::Output { task: task(), epoch: 2, record: hole }),
        (
            "attempt_ended",
            FollowRecord::AttemptEnded {
                task: task(),
                epoch: 1,
                end: AttemptEnd::Lapsed,
                message: Some("gpu-1 was not heard of any more".to_owned()),
            },
        ),
        ("progress", FollowRecord::Progress { task: task(), epoch: 2, progress: progress() }),
        ("cursor", FollowRecord::Cursor { cursor }),
        ("keep_alive", FollowRecord::KeepAlive {}),
        ("outcome", FollowRecord::Outcome { job: job(), outcome: failed() }),
    ] {
        golden.check(&format!("follow_{name}"), &record);
    }
}
