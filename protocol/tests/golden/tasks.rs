//! What workers say and hear about tasks.

use ffleet_protocol::{
    state::{FailureClass, TaskStatus},
    task::{
        AcceptRequest, ClaimAnswer, ClaimRequest, Command, Exit, FinishRequest, Grant, Output, PublishingRequest,
        RejectRequest, TaskAnswer,
    },
};

use crate::{Golden, values::*};

pub(crate) fn grant() -> Grant {
    Grant {
        task: task(),
        job: job(),
        epoch: 2,
        token: token(),
        status: TaskStatus::Assigned,
        command: Command { program: "ffmpeg".to_owned(), args: spec().args, cwd: Some("$Media/in".into()) },
        lease_s: 35,
        timeout_s: Some(7200),
        rerun: true,
        next_seq: 1,
        stdout_max_bytes: 67_108_864,
    }
}

fn output() -> Output {
    Output {
        path: "$Out/a.mp4".into(),
        size: 1_048_576,
        sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
    }
}

pub(crate) fn check(golden: &mut Golden) {
    let (worker, incarnation, epoch, token) = (name("gpu-1"), incarnation(), 2, token());
    golden.check("claim_request", &ClaimRequest { worker, incarnation, token, free_slots: 3, wait_s: 25 });
    golden.check("claim_answer", &ClaimAnswer { grants: vec![grant()] });
    golden.check("accept_request", &AcceptRequest { worker: name("gpu-1"), incarnation, epoch, token });
    golden.check(
        "reject_request",
        &RejectRequest { worker: name("gpu-1"), incarnation, epoch, token, reason: "$Out is full".to_owned() },
    );
    golden.check(
        "publishing_request",
        &PublishingRequest { worker: name("gpu-1"), incarnation, epoch, token, outputs: vec![output()] },
    );
    let finish = FinishRequest {
        worker: name("gpu-1"),
        incarnation,
        epoch,
        token,
        exit: Exit::Code { code: 1 },
        failure: Some(FailureClass::InputNotFound),
        message: "an input does not exist".to_owned(),
        last_seq: 8,
        tail: "a.mkv: No such file or directory\n".to_owned(),
        outputs: vec![output()],
    };
    golden.check("finish_request", &finish);
    for (name, exit) in [
        ("code", Exit::Code { code: 0 }),
        ("signal", Exit::Signal { signal: 9 }),
        ("stopped", Exit::Stopped),
        ("timed_out", Exit::TimedOut),
        ("handed_back", Exit::HandedBack),
        ("none", Exit::None),
    ] {
        let least = FinishRequest {
            exit,
            failure: None,
            message: String::new(),
            last_seq: 0,
            tail: String::new(),
            outputs: Vec::new(),
            ..finish.clone()
        };
        golden.check(&format!("finish_request_{name}"), &least);
    }
    golden.check("task_answer", &TaskAnswer { status: TaskStatus::Failed, next_seq: 9, outcome: Some(failed()) });
    golden.check("task_answer_running", &TaskAnswer { status: TaskStatus::Running, next_seq: 1, outcome: None });
}
