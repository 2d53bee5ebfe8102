//! Makes faults happen, and looks whether anybody felt them.

use std::{fs, os::unix::process::ExitStatusExt, time::Duration};

use nix::sys::signal::Signal;
use tokio::task::JoinSet;

use super::{
    faults::{Fault, Kind},
    late, outages, replay,
    stage::{Stage, came, last, now, total},
};
use crate::{Process, Proxy, Rule, Way};

const BOTH: [Way; 2] = [Way::Request, Way::Answer];
/// How long a fault that waits for traffic is given.
pub(super) const SOON: Duration = Duration::from_secs(10);
/// Submits in one burst, and how many of them are answered before the coordinator dies.
const BURST: usize = 24;
const ANSWERED: usize = 6;

/// Makes a fault happen and undoes it; whether anybody felt it. `number` counts the faults of the run.
pub(super) async fn inject(stage: &Stage, fault: &Fault, number: usize) -> bool {
    use Kind as K;
    match fault.kind {
        K::KillCoordinator | K::RestartCoordinator => end_coordinator(stage, fault).await,
        K::StopCoordinator => {
            let _seat = stage.coordinator_seat(fault.who).await;
            stopped(&stage.fleet.coordinators()[fault.who].process(), fault.time).await
        }
        K::KilledSubmits => killed_submits(stage, fault, number).await,
        K::KillWorker | K::RestartWorker => restart_worker(stage, fault).await,
        K::StopWorker => {
            let _seat = stage.worker_seat(fault.who).await;
            let from = now();
            let felt = stopped(&stage.workers[fault.who].process(), fault.time).await;
            stage.witness.seen().stops.push((stage.workers[fault.who].id(), from, now()));
            felt
        }
        K::Partition | K::BlackHole | K::Delay | K::Reset | K::Refuse | K::Cut => {
            disturb_line(stage, fault, number).await
        }
        K::WorkerLosesAnswer | K::WorkerRepeats => {
            let _seat = stage.worker_seat(fault.who).await;
            let line = stage.worker_line(fault.who);
            befall(&line, fault, fault.request).await || befall(&line, fault, "/**").await
        }
        K::SubmitLosesAnswer | K::SubmitRepeats | K::SubmitLate => disturb_submit(stage, fault, number).await,
        K::LateWorker => late::play(stage, number).await,
        K::Replay => replay::play(stage, number).await,
        K::KillNode | K::StopNode | K::CutOffNode | K::LoseQuorum | K::KillNodes => {
            outages::of_databases(stage, fault, number).await
        }
        K::ReloadFront => outages::reload(stage, fault).await,
        K::StopBroker | K::PurgeBroker | K::KillBroker | K::LoseBroker => {
            outages::of_broker(stage, fault, number).await
        }
    }
}

/// Waits for the end by SIGKILL.
async fn killed(process: &Process) -> bool {
    process.signal(Signal::SIGKILL);
    process.ended().await.signal() == Some(Signal::SIGKILL as i32)
}

async fn end_coordinator(stage: &Stage, fault: &Fault) -> bool {
    let _seat = stage.coordinator_seat(fault.who).await;
    let coordinator = &stage.fleet.coordinators()[fault.who];
    let process = coordinator.process();
    let felt =
        if fault.kind == Kind::KillCoordinator { killed(&process).await } else { process.term().await.success() };
    stage.witness.ended(process.name());
    last(fault.time).await;
    coordinator.revive().await;
    felt
}

/// Many submits at once to one coordinator, which dies when some of them are answered. All of them are answered in the
/// end, because their client does not give up.
async fn killed_submits(stage: &Stage, fault: &Fault, number: usize) -> bool {
    let _seat = stage.coordinator_seat(fault.who).await;
    let coordinator = &stage.fleet.coordinators()[fault.who];
    let api = stage.fleet.api_at(fault.who, "studio");
    let mut submits = JoinSet::new();
    for n in 0..BURST {
        let (api, label) = (api.clone(), format!("burst-{number}-{n}"));
        let spec = Stage::spec_of_extra(&label, 0);
        stage.witness.seen().labels.insert(label.clone());
        submits.spawn(async move { (api.submit(&spec, &format!("key-{label}")).await, label) });
    }
    let mut answered = 0;
    let mut felt = false;
    while let Some(done) = submits.join_next().await {
        let (answer, label) = done.expect("a submit does not panic");
        match answer {
            Ok(submitted) => stage.witness.seen().extra.push(submitted.id),
            Err(error) => stage.witness.failure(format!("job {label}"), format!("its submit failed: {error}")),
        }
        answered += 1;
        if answered == ANSWERED {
            let process = coordinator.process();
            felt = killed(&process).await;
            stage.witness.ended(process.name());
            last(fault.time).await;
            coordinator.revive().await;
        }
    }
    felt
}

async fn restart_worker(stage: &Stage, fault: &Fault) -> bool {
    let _seat = stage.worker_seat(fault.who).await;
    let worker = &stage.workers[fault.who];
    let process = worker.process();
    let felt = if fault.kind == Kind::KillWorker {
        killed(&process).await
    } else {
        // Once to let it finish what runs, twice to have it hand that back.
        let mut asked = 0;
        while process.is_alive() && asked < 30 {
            process.signal(Signal::SIGTERM);
            asked += 1;
            came(Duration::from_secs(1), || !process.is_alive()).await;
        }
        let left = !process.is_alive();
        if !left {
            let place = format!("worker {}", worker.id());
            stage.witness.violation(crate::checker::Invariant::I9, place, "it did not leave when told twice");
            process.kill9().await;
        }
        left
    };
    last(fault.time).await;
    worker.relaunch();
    felt
}

/// Stops a process for a while.
async fn stopped(process: &Process, time: Duration) -> bool {
    process.stop();
    let felt = came(SOON, || is_stopped(process.pid())).await;
    last(time).await;
    process.cont();
    felt
}

/// Whether the time of a process stands still.
pub(super) fn is_stopped(pid: i32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Something happens to all connections of a worker, or of some clients.
async fn disturb_line(stage: &Stage, fault: &Fault, number: usize) -> bool {
    match fault.who.checked_sub(stage.cast.workers) {
        None => {
            let _seat = stage.worker_seat(fault.who).await;
            disturb(stage.worker_line(fault.who), fault).await
        }
        Some(line) => {
            let _seat = stage.line_seat(line).await;
            // Somebody speaks, whoever else does.
            let (client, label) = (stage.client(line), format!("line-{number}"));
            tokio::join!(disturb(stage.client_line(line), fault), stage.extra(&client, &label, 0)).0
        }
    }
}

async fn disturb(line: [&Proxy; 2], fault: &Fault) -> bool {
    let before = total(&line);
    let way = if fault.other { Way::Answer } else { Way::Request };
    for proxy in line {
        match fault.kind {
            Kind::Partition => proxy.hold(&BOTH),
            Kind::BlackHole if fault.other => proxy.swallow(&BOTH),
            Kind::BlackHole => proxy.swallow(&[Way::Answer]),
            Kind::Delay => proxy.delay(&BOTH, fault.time / 8),
            Kind::Cut => proxy.cut_after(way, fault.count * 300),
            Kind::Refuse => {
                proxy.refuse();
                proxy.reset();
            }
            _ => proxy.reset(),
        }
    }
    // The kernel refuses, so the proxy counts nothing; whoever tries to connect feels it.
    let refused = fault.kind == Kind::Refuse && is_refused(line[0]).await;
    last(fault.time).await;
    let felt = refused
        || came(SOON, || {
            // One that began when the connections of before had just ended hits nobody; then once more.
            if fault.kind == Kind::Reset && total(&line) == before {
                line.into_iter().for_each(Proxy::reset);
            }
            total(&line) > before
        })
        .await;
    line.into_iter().for_each(Proxy::heal);
    if fault.kind == Kind::BlackHole {
        // Connections that lost bytes never pass any again; their ends would wait for long.
        line.into_iter().for_each(Proxy::reset);
    }
    felt
}

/// Whether nobody can connect.
async fn is_refused(proxy: &Proxy) -> bool {
    let tried = tokio::net::TcpStream::connect(proxy.address()).await;
    tried.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Something happens to the next request of a kind on a line.
async fn befall(line: &[&Proxy; 2], fault: &Fault, path: &str) -> bool {
    let rules: Vec<Rule> = line.iter().map(|proxy| order(proxy, fault, path)).collect();
    let felt = came(SOON, || rules.iter().any(|rule| rule.count() > 0)).await;
    line.iter().for_each(|proxy| proxy.forget_rules());
    felt
}

fn order(proxy: &Proxy, fault: &Fault, path: &str) -> Rule {
    let on = proxy.on("POST", path);
    let times = usize::try_from(fault.count).expect("a few");
    match fault.kind {
        Kind::WorkerLosesAnswer | Kind::SubmitLosesAnswer => on.lose_answer(),
        Kind::SubmitLate => on.keep(),
        // The last answer goes back, or the first.
        _ if fault.other => on.repeat_at_once(times, times),
        _ => on.repeat(times, 1),
    }
}

/// Something happens to a submit. The fault makes one of its own, though another one on the line may be hit.
async fn disturb_submit(stage: &Stage, fault: &Fault, number: usize) -> bool {
    let _seat = stage.line_seat(fault.who).await;
    let line = stage.client_line(fault.who);
    let rules: Vec<Rule> = line.iter().map(|proxy| order(proxy, fault, "/v1/jobs")).collect();
    stage.extra(&stage.client(fault.who), &format!("submit-{number}"), 0).await;
    let felt = came(SOON, || rules.iter().any(|rule| rule.count() > 0)).await;
    line.iter().for_each(|proxy| proxy.forget_rules());
    if fault.kind == Kind::SubmitLate {
        // Somebody must be there to take it.
        let _seats = stage.all_coordinators().await;
        for proxy in line {
            proxy.deliver_late().await;
        }
    }
    felt
}
