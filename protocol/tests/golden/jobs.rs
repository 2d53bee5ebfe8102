//! What clients say and hear about jobs.

use ffleet_protocol::{
    id::JobId,
    job::{
        AttemptEnd, AttemptView, BatchAnswer, BatchItem, BatchRequest, Canceled, ClientHeartbeat, Explanation,
        JobFilter, JobPage, JobSummary, JobView, Need, SignalRequest, Submitted, TaskExplanation, TaskView,
        WorkerReason,
    },
    state::{FailureClass, JobStatus, SignalKind, TaskStatus},
};

use crate::{Golden, values::*};

fn summary() -> JobSummary {
    JobSummary {
        id: job(),
        requester: name("studio"),
        status: JobStatus::Failed,
        program: "ffmpeg".to_owned(),
        args: spec().args,
        priority: -5,
        labels: spec().labels,
        created_at: at(0),
        started_at: Some(at(2)),
        ended_at: Some(at(9)),
        outcome: Some(failed()),
        retried_by: Some(JobId(uuid(0x1f))),
    }
}

pub(crate) fn check(golden: &mut Golden) {
    golden.check("job_spec", &spec());
    golden.check("job_spec_minimal", &minimal_spec());
    golden.check(
        "need",
        &Need { program: "ffmpeg".to_owned(), variables: variables(&["Media", "Out"]), requirements: requirements() },
    );
    let submitted = Submitted {
        id: job(),
        status: JobStatus::Pending,
        existing: false,
        warnings: vec!["no worker has the encoder h264_nvenc".to_owned()],
    };
    golden.check("submitted", &submitted);
    golden.check(
        "batch_request",
        &BatchRequest {
            jobs: vec![BatchItem { idempotency_key: "night-1".to_owned(), job: minimal_spec() }],
            again: true,
        },
    );
    golden.check(
        "batch_answer",
        &BatchAnswer { jobs: vec![Submitted { existing: true, warnings: Vec::new(), ..submitted }] },
    );
    golden.check("job_summary", &summary());
    golden.check("job_view", &job_view());
    golden.check("job_page", &JobPage { jobs: vec![summary()], next_cursor: Some("b3BhcXVl".to_owned()) });
    golden.check(
        "job_filter",
        &JobFilter {
            status: Some("running,pending".to_owned()),
            requester: Some(name("studio")),
            label: Some("show=Pilot".to_owned()),
            retried: Some(false),
            since: Some(at(0)),
            id_prefix: Some("0190".to_owned()),
            cursor: Some("b3BhcXVl".to_owned()),
            limit: Some(10),
        },
    );
    golden.check("canceled", &Canceled { id: job(), status: JobStatus::Canceling });
    for kind in SignalKind::ALL {
        golden.check(&format!("signal_request_{kind}"), &SignalRequest { signal: *kind });
    }
    golden.check("client_heartbeat", &ClientHeartbeat { beat: 7, follower: incarnation() });
    golden.check("explanation", &explanation());
}

fn job_view() -> JobView {
    let attempt = AttemptView {
        epoch: 1,
        worker: name("gpu-1"),
        claimed_at: at(1),
        started_at: None,
        ended_at: Some(at(2)),
        end: Some(AttemptEnd::Rejected),
        exit_code: None,
        signal: None,
        failure: None,
        message: Some("$Out is full".to_owned()),
    };
    let second = AttemptView {
        epoch: 2,
        started_at: Some(at(4)),
        ended_at: Some(at(9)),
        end: Some(AttemptEnd::Failed),
        exit_code: Some(1),
        failure: Some(FailureClass::InputNotFound),
        message: None,
        ..attempt.clone()
    };
    JobView {
        summary: summary(),
        spec: spec(),
        retry_of: Some(JobId(uuid(0x0e))),
        tasks: vec![TaskView {
            id: task(),
            name: "main".to_owned(),
            status: TaskStatus::Failed,
            epoch: 2,
            not_before: Some(at(3)),
            worker: Some(name("gpu-1")),
            lease_until: Some(at(37)),
            failures: 1,
            crashes: 0,
            rejections: 1,
            progress: Some(progress()),
            outcome: Some(failed()),
            attempts: vec![attempt, second],
        }],
        warnings: vec!["the working directory lies under no variable".to_owned()],
    }
}

fn explanation() -> Explanation {
    Explanation {
        id: job(),
        status: JobStatus::Pending,
        tasks: vec![TaskExplanation {
            id: task(),
            status: TaskStatus::Pending,
            summary: "no worker fits".to_owned(),
            warning: Some("no known worker can run this yet".to_owned()),
            ahead: Some(3),
            workers: vec![
                WorkerReason { worker: name("cpu-1"), reason: Some("has no encoder h264_nvenc".to_owned()) },
                WorkerReason { worker: name("gpu-1"), reason: None },
            ],
        }],
    }
}
