//! Events, the doorbell and errors.

use ffleet_protocol::{
    event::Event,
    id::{EventId, RequestId},
    problem::{Code, FieldError, Problem},
    state::TaskStatus,
    topic::{Topic, WatchAnswer},
};

use crate::{Golden, values::*};

pub(crate) fn check(golden: &mut Golden) {
    golden.check(
        "event",
        &Event {
            id: EventId(uuid(0x30)),
            job: job(),
            task: task(),
            requester: name("studio"),
            epoch: 2,
            from: Some(TaskStatus::Pending),
            to: TaskStatus::Assigned,
            what: "claimed".to_owned(),
            actor: "farm".to_owned(),
            worker: Some(name("gpu-1")),
            request_id: RequestId(uuid(0x31)),
            at: at(3),
        },
    );
    golden.check(
        "watch_answer",
        &WatchAnswer {
            cursor: "b3BhcXVl".to_owned(),
            topics: vec![Topic::Queue(7), Topic::Worker(name("gpu-1")), Topic::Job(job())],
        },
    );
    let problem = Problem::new(Code::BadField, "priority: 1001 is outside -1000 to 1000", RequestId(uuid(0x31)));
    golden.check("problem", &problem);
    let full = Problem {
        errors: vec![FieldError { field: "args[3]".to_owned(), detail: "lies under no path variable".to_owned() }],
        server_time: Some(1_700_000_000),
        next_seq: Some(9),
        state: Some(TaskStatus::Failed),
        outcome: Some(failed()),
        ..problem
    };
    golden.check("problem_full", &full);
}
