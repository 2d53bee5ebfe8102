//! Workers and the fleet.

use ffleet_protocol::{
    state::{CancelReason, Carrier, Phase, SignalKind, WorkerState},
    task::{HeldLease, NumberedSignal, Order, Verdict},
    worker::{
        Capabilities, FleetStatus, Hearing, HeartbeatAnswer, HeartbeatRequest, LeaseRef, Missing, Mount, Program,
        Registered, Registration, WorkerList, WorkerView,
    },
};

use crate::{Golden, tasks::grant, values::*};

fn capabilities() -> Capabilities {
    Capabilities {
        slots: 4,
        programs: map([("ffmpeg", Program { version: "ffmpeg version 5.1.9".to_owned() })]),
        variables: [
            (name("Media"), Mount { writable: false, free_bytes: None }),
            (name("Out"), Mount { writable: true, free_bytes: Some(1 << 40) }),
        ]
        .into(),
        tags: set(&["fast", "rack-7"]),
        encoders: set(&["h264_nvenc", "libx264"]),
        devices: set(&["cuda"]),
        problems: vec!["$Old: /mnt/old does not exist".to_owned()],
    }
}

pub(crate) fn check(golden: &mut Golden) {
    let lease = LeaseRef { task: task(), epoch: 2, token: token() };
    golden.check(
        "registration",
        &Registration {
            incarnation: incarnation(),
            protocol: 1,
            version: "0.1.0".to_owned(),
            capabilities: capabilities(),
            unreported: vec![lease],
        },
    );
    golden.check(
        "registered",
        &Registered {
            state: WorkerState::Online,
            heartbeat_s: 5,
            lease_s: 35,
            give_up_permille: 800,
            satisfies: 2,
            protocol: 1,
            account: Some(name("farm")),
        },
    );
    let missing = Missing { carrier: Carrier::Amqp, since: at(30) };
    golden.check(
        "heartbeat_request",
        &HeartbeatRequest {
            incarnation: incarnation(),
            beat: 12,
            leases: vec![HeldLease {
                task: task(),
                epoch: 2,
                token: token(),
                phase: Phase::Encoding,
                progress: Some(progress()),
                signals_seen: 1,
            }],
            draining: true,
            hearing: Some(Hearing { by: Carrier::LongPoll, missing: Some(missing) }),
        },
    );
    let verdict = |order, signals| Verdict { task: task(), epoch: 2, next_seq: 9, order, signals };
    golden.check(
        "heartbeat_answer",
        &HeartbeatAnswer {
            state: WorkerState::Draining,
            verdicts: vec![
                verdict(Order::Continue, vec![NumberedSignal { number: 2, signal: SignalKind::Quit }]),
                verdict(Order::Stop { reason: CancelReason::Requested }, Vec::new()),
                verdict(Order::Stop { reason: CancelReason::ClientGone }, Vec::new()),
                verdict(Order::Stop { reason: CancelReason::SiblingFailed }, Vec::new()),
                verdict(Order::Lost, Vec::new()),
            ],
            unknown_to_you: vec![grant()],
            heartbeat_s: 5,
        },
    );
    let view = WorkerView {
        id: name("gpu-1"),
        account: name("farm"),
        state: WorkerState::Paused,
        version: "0.1.0".to_owned(),
        capabilities: capabilities(),
        busy: 2,
        hearing: Some(Hearing { by: Carrier::Mqtt, missing: Some(missing) }),
        registered_at: at(0),
        seen_at: at(60),
    };
    golden.check("worker_view", &view);
    golden.check("worker_list", &WorkerList { workers: vec![view] });
    golden.check(
        "fleet_status",
        &FleetStatus {
            jobs: map([("pending", 3), ("running", 2)]),
            workers: map([("online", 2), ("paused", 1)]),
            slots: 8,
            busy: 2,
            version: "0.1.0".to_owned(),
        },
    );
}
