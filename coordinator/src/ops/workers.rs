//! Workers come, go, and are told to pause.

use ffleet_protocol::{
    PROTOCOL_VERSION,
    id::{Incarnation, WorkerId},
    problem::Code,
    state::{Role, WorkerState},
    version::{Meeting, meet},
    worker::{Registered, Registration, WorkerList, WorkerView},
};

pub use super::heartbeat::heartbeat;
use super::{Caller, OpError, lapse, replayed};
use crate::{
    app::App,
    domain::{Lapse, Standing, WorkerEvent, unfit},
    store::{Conflicting, StoreError, workers::WorkerRow},
};

const TRIES: u32 = 16;
/// A registration that was signed so many seconds before the one that stands was taken comes too late. Signatures count
/// whole seconds, and a machine's clock may be a little behind.
const OVERTAKEN_S: i64 = 2;

/// A worker of the caller's.
pub(super) async fn known(app: &App, who: &Caller, id: &WorkerId) -> Result<WorkerRow, OpError> {
    match app.store.worker(id).await? {
        Some(worker) if worker.account == who.account => {
            app.workers.spoke(&worker);
            Ok(worker)
        }
        Some(_) => Err(no_such_worker()),
        None => Err(OpError::refused(Code::NotRegistered, format!("worker {id} is not registered; register it first"))),
    }
}

/// Refuses whoever speaks for a worker that is not theirs. What is said about a task is judged by its lease, so nothing else
/// about the worker has to be read for it.
pub(super) async fn speaks_for(app: &App, who: &Caller, id: &WorkerId) -> Result<(), OpError> {
    if app.workers.belongs(&app.store, id, &who.account).await? {
        return Ok(());
    }
    known(app, who, id).await.map(drop)
}

/// Refuses the words of an incarnation that another one has followed.
pub(super) fn running_here(worker: &WorkerRow, incarnation: Incarnation) -> Result<(), OpError> {
    if worker.incarnation != incarnation {
        let detail = format!("another start of worker {} has registered; this one must stop", worker.id);
        return Err(OpError::refused(Code::Superseded, detail));
    }
    if worker.standing.state == WorkerState::Offline {
        let detail = format!("worker {} was silent for too long or has left; register again", worker.id);
        return Err(OpError::refused(Code::NotRegistered, detail));
    }
    Ok(())
}

fn no_such_worker() -> OpError {
    OpError::refused(Code::NoSuchWorker, "there is no such worker, or it is not yours; `ffleet worker list` shows all")
}

/// A worker has started, or what it has has changed.
pub async fn register(app: &App, who: &Caller, id: WorkerId, what: Registration) -> Result<Registered, OpError> {
    check(&what)?;
    for _ in 0..TRIES {
        let before = app.store.worker(&id).await?;
        if before.as_ref().is_some_and(|worker| worker.account != who.account) {
            let detail = format!("the name {id} belongs to a worker of another account; give this one another `id`");
            return Err(OpError::refused(Code::WorkerTaken, detail));
        }
        let now = app.store.now().await?;
        if let Some(worker) = before.as_ref().filter(|worker| worker.incarnation != what.incarnation) {
            not_overtaken(who, worker)?;
        }
        let standing = before.as_ref().map_or(Standing::NEW, |worker| worker.standing);
        let again = before.as_ref().is_some_and(|worker| {
            worker.incarnation == what.incarnation && worker.standing.state != WorkerState::Offline
        });
        // The same start telling news of itself keeps where it stands; a drain is not undone by it.
        let standing = if again {
            standing
        } else {
            standing.on(WorkerEvent::Registered).map_err(|error| OpError::Internal(error.into()))?
        };
        let worker = WorkerRow {
            id: id.clone(),
            account: who.account.clone(),
            version: before.as_ref().map_or(0, |worker| worker.version),
            standing,
            incarnation: what.incarnation,
            program_version: what.version.clone(),
            capabilities: what.capabilities.clone(),
            beat: before
                .as_ref()
                .filter(|worker| worker.incarnation == what.incarnation)
                .map_or(0, |worker| worker.beat),
            registered_at: now,
            seen_at: now,
            hearing: before.as_ref().filter(|worker| worker.incarnation == what.incarnation).and_then(|it| it.hearing),
        };
        let mut commit = worker.commit();
        commit.join(who.once());
        match app.store.commit(commit).await {
            Ok(()) => {}
            Err(StoreError::Conflict(Conflicting::Nonce)) => return Err(replayed()),
            Err(StoreError::Conflict(_)) => continue,
            Err(error) => return Err(error.into()),
        }
        app.workers.changed();
        lapse::superseded(app, &who.actor(), &id, what.incarnation, &what.unreported).await?;
        let needs = app.needs.all(&app.store).await?;
        let fits = needs.iter().filter(|(_, need)| unfit(need, &worker.capabilities).is_none()).count();
        return Ok(Registered {
            state: worker.standing.state,
            heartbeat_s: app.config.timing.heartbeat_s,
            lease_s: app.config.timing.lease_s,
            give_up_permille: give_up_permille(app),
            satisfies: u32::try_from(fits).unwrap_or(u32::MAX),
            protocol: PROTOCOL_VERSION,
            account: Some(worker.account),
        });
    }
    Err(OpError::Unavailable("this worker registers more than once at the same time; try again".to_owned()))
}

/// The words of a start that is long over may have been held up on their way. They would end the start that stands, and
/// nobody would be there in its place. Incarnations have no order, but their signatures have a time; one that is only
/// wrong about it is told the right time, corrects itself and comes again.
fn not_overtaken(who: &Caller, worker: &WorkerRow) -> Result<(), OpError> {
    let since = worker.registered_at.as_second();
    match &who.nonce {
        Some(used) if used.created + OVERTAKEN_S < since => {
            let detail = format!(
                "worker {} has registered since this registration was signed; sign it anew, with the right time",
                worker.id
            );
            Err(OpError::refused(Code::ClockSkew, detail))
        }
        Some(_) | None => Ok(()),
    }
}

fn give_up_permille(app: &App) -> u32 {
    let timing = &app.config.timing;
    u32::try_from(timing.give_up_s * 1_000 / timing.lease_s.max(1)).unwrap_or(1_000)
}

fn check(what: &Registration) -> Result<(), OpError> {
    let update = match meet(PROTOCOL_VERSION, what.protocol) {
        Meeting::Together => None,
        Meeting::TooOld => Some("bring the worker up to date"),
        Meeting::TooNew => Some("bring the coordinators up to date first, then the workers"),
    };
    if let Some(update) = update {
        let detail = format!(
            "worker program {} speaks protocol {}, this coordinator, {}, speaks {PROTOCOL_VERSION}, and versions work together \
             that differ by no more than 1; {update}",
            what.version,
            what.protocol,
            env!("CARGO_PKG_VERSION")
        );
        return Err(OpError::refused(Code::ProtocolVersion, detail));
    }
    if !(1..=1_024).contains(&what.capabilities.slots) {
        return Err(OpError::field(Code::BadField, "slots", "expected 1 to 1024"));
    }
    Ok(())
}

/// A worker has taken its leave. What it still holds ends at once.
pub async fn leave(app: &App, who: &Caller, id: WorkerId, incarnation: Incarnation) -> Result<(), OpError> {
    let worker = known(app, who, &id).await?;
    if worker.incarnation != incarnation {
        running_here(&worker, incarnation)?;
    }
    // First it takes nothing any more, then what it holds ends: a claim that is under way comes to nothing.
    change(app, who, &id, WorkerEvent::Left).await?;
    lapse::of_worker(app, &who.actor(), &id, Lapse::Left).await
}

/// Every worker, by name.
pub async fn list(app: &App, who: &Caller) -> Result<WorkerList, OpError> {
    let busy = app.store.busy().await?;
    let workers = app.store.workers().await?.into_iter().filter(|worker| may_see(who, worker));
    Ok(WorkerList { workers: workers.map(|worker| view(worker, &busy)).collect() })
}

/// One worker.
pub async fn show(app: &App, who: &Caller, id: WorkerId) -> Result<WorkerView, OpError> {
    let worker = app.store.worker(&id).await?.filter(|worker| may_see(who, worker)).ok_or_else(no_such_worker)?;
    Ok(view(worker, &app.store.busy().await?))
}

/// Clients see where their jobs may run; a worker sees itself.
fn may_see(who: &Caller, worker: &WorkerRow) -> bool {
    who.role != Role::Worker || worker.account == who.account
}

fn view(worker: WorkerRow, busy: &std::collections::BTreeMap<WorkerId, u32>) -> WorkerView {
    WorkerView {
        busy: busy.get(&worker.id).copied().unwrap_or(0),
        id: worker.id,
        account: worker.account,
        state: worker.standing.state,
        version: worker.program_version,
        capabilities: worker.capabilities,
        hearing: worker.hearing,
        registered_at: worker.registered_at,
        seen_at: worker.seen_at,
    }
}

/// The worker is to finish what runs and leave.
pub async fn drain(app: &App, who: &Caller, id: WorkerId) -> Result<WorkerView, OpError> {
    change(app, who, &id, WorkerEvent::Drained).await
}

/// The worker is to take no new work.
pub async fn pause(app: &App, who: &Caller, id: WorkerId) -> Result<WorkerView, OpError> {
    change(app, who, &id, WorkerEvent::Paused).await
}

/// The worker is to take work again.
pub async fn resume(app: &App, who: &Caller, id: WorkerId) -> Result<WorkerView, OpError> {
    change(app, who, &id, WorkerEvent::Resumed).await
}

async fn change(app: &App, who: &Caller, id: &WorkerId, event: WorkerEvent) -> Result<WorkerView, OpError> {
    for _ in 0..TRIES {
        let worker = app.store.worker(id).await?.ok_or_else(no_such_worker)?;
        let standing =
            worker.standing.on(event).map_err(|error| OpError::refused(Code::WrongState, error.to_string()))?;
        let next = WorkerRow { standing, ..worker.clone() };
        let mut commit = next.since(&worker);
        commit.join(who.once());
        match app.store.commit(commit).await {
            Ok(()) => {
                app.workers.changed();
                app.ring(&ffleet_nudges::Nudge::Worker(Some(next.account.clone()), id.clone()));
                return Ok(view(next, &app.store.busy().await?));
            }
            Err(StoreError::Conflict(Conflicting::Nonce)) => return Err(replayed()),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OpError::Unavailable("this worker keeps changing; send the request again".to_owned()))
}
