//! One look at the fleet.

use ffleet_protocol::{
    overview::{EndedJob, JobBrief, Overview, OverviewQuery, RunningTask, Tally, WaitingTask, WorkerBrief},
    state::{JobStatus, TaskStatus, WorkerState},
};

use crate::{Golden, values::*};

pub(crate) fn check(golden: &mut Golden) {
    golden.check("overview_query", &OverviewQuery { limit: Some(20) });
    let brief = || JobBrief {
        job: job(),
        requester: name("studio"),
        priority: -5,
        command: "ffmpeg -i $Media/a.mkv b.mkv".to_owned(),
        created_at: at(0),
    };
    golden.check(
        "overview",
        &Overview {
            at: at(60),
            workers: vec![WorkerBrief {
                id: name("gpu-1"),
                state: WorkerState::Online,
                slots: 4,
                busy: 1,
                seen_at: at(58),
            }],
            held: 1,
            running: vec![RunningTask {
                brief: brief(),
                task: task(),
                status: TaskStatus::Running,
                worker: name("gpu-1"),
                epoch: 2,
                claimed_at: at(3),
                progress: Some(progress()),
            }],
            waiting: Tally { count: 10_000, more: true },
            next: vec![WaitingTask {
                brief: brief(),
                task: task(),
                status: TaskStatus::Pending,
                not_before: Some(at(70)),
                epoch: 1,
            }],
            ended: vec![EndedJob {
                brief: brief(),
                status: JobStatus::Failed,
                started_at: Some(at(3)),
                ended_at: at(50),
                outcome: failed(),
            }],
        },
    );
}
