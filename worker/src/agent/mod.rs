//! The worker as a whole: it registers, keeps its leases alive, takes work on while there is room, and leaves when told.

mod ears;
mod heartbeat;
mod held;
mod leases;
mod register;
mod strays;
mod systemd;
mod watch;

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use ffleet_client::{Api, ApiError};
use ffleet_protocol::{
    id::{Incarnation, Token, WorkerId},
    problem::Code,
    state::WorkerState,
    task::Grant,
    worker::LeaseRef,
};
use sd_notify::NotifyState;
use tokio::sync::{Notify, mpsc, watch as watched};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    attempt,
    capabilities::{self, Proven},
    claim,
    clock::Moment,
    config::Config,
    leftovers,
    process::{MarkPrefix, Orphans, Starter},
    reports::Reports,
    shipping::Budget,
    state::StateDir,
};

pub use ears::Ears;
pub use held::{Held, Order};
pub use leases::{Ending, Leases};
pub use strays::reject;

/// How long the last words to the coordinators may take once the worker has nothing more to do, or was told to go.
const FAREWELL: Duration = Duration::from_secs(10);

/// What every part of the worker needs. One per process.
pub struct Worker {
    /// As configured.
    pub config: Config,
    /// How to reach coordinators.
    pub api: Api,
    /// This life of the worker.
    pub incarnation: Incarnation,
    /// Its directory.
    pub state: Arc<StateDir>,
    /// Ends that are to be told.
    pub reports: Reports,
    /// Starts every child.
    pub starter: Starter,
    /// Tells its children from others.
    pub marks: MarkPrefix,
    /// Disk space for output.
    pub budget: Arc<Budget>,
    /// The attempts it holds leases for.
    pub leases: Leases,
    /// Which way it is going.
    pub stages: Stages,
    /// Where the coordinators see it.
    pub fleet: watched::Sender<WorkerState>,
    /// Rung when a heartbeat should not wait.
    pub beat_now: Notify,
    /// What brokers bring.
    pub ears: Ears,
    proven: RwLock<Arc<Proven>>,
    /// Rung when the registration is to be repeated.
    register_now: Notify,
    claiming: Mutex<Option<Token>>,
    beat: AtomicU64,
    give_up_permille: AtomicU32,
    attempts: TaskTracker,
}

/// One after the other, and never back.
#[derive(Debug, Default)]
pub struct Stages {
    /// No new work is taken; what runs goes on.
    pub draining: CancellationToken,
    /// What runs is stopped and handed back.
    pub handing_back: CancellationToken,
    /// Nobody waits for answers any more; what is not told stays on disk.
    pub leaving: CancellationToken,
    /// Another start of this worker has taken over: everything stops at once, and nothing is told.
    pub superseded: CancellationToken,
}

/// How the worker's life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// It was asked to go and has gone.
    Left,
    /// Another start of it has taken over.
    Superseded,
}

/// Lives until told to go. Each message on `stops` is a request to stop: the first one finishes what runs, the second one
/// hands it back.
pub async fn run(config: Config, mut stops: mpsc::UnboundedReceiver<()>) -> anyhow::Result<Farewell> {
    let worker = Arc::new(prepare(config)?);
    let unreported =
        worker.reports.load(&worker.config.id).context("cannot read the reports in the state directory")?;
    let keep = unreported.iter().map(|report| (report.lease.task, report.lease.epoch)).collect();
    let state = Arc::clone(&worker.state);
    tokio::task::spawn_blocking(move || leftovers::clear(&state, &keep))
        .await?
        .context("cannot clear the state directory")?;

    let proven = capabilities::prove(&worker.config, &worker.starter, &worker.marks).await;
    for problem in &proven.capabilities.problems {
        tracing::warn!("{problem}");
    }
    worker.set_proven(proven);

    let unreported: Vec<_> = unreported.into_iter().map(|report| (attempt::hold(&worker, &report), report)).collect();
    let registered = tokio::select! {
        registered = register::first(&worker) => registered?,
        _ = stops.recv() => return Ok(Farewell::Left),
    };
    tracing::info!(worker.id = %worker.config.id, incarnation = %worker.incarnation, satisfies = registered.satisfies,
        "registered as {}", worker.config.id);
    systemd::tell(&[NotifyState::Ready]);
    tokio::spawn(systemd::keep_informed());
    for (held, report) in unreported {
        worker.attempts.spawn(attempt::report_again(Arc::clone(&worker), held, report));
    }
    let draining = worker.stages.draining.clone();
    tokio::spawn(async move {
        draining.cancelled().await;
        systemd::tell(&[NotifyState::Stopping]);
    });
    let farewell = live(&worker, registered, &mut stops).await;
    if farewell == Farewell::Left {
        say_goodbye(&worker).await;
    }
    Ok(farewell)
}

fn prepare(config: Config) -> anyhow::Result<Worker> {
    let key = config.key()?;
    config.notify.readable(config.readers())?;
    let mut connection = ffleet_client::Connection::new(config.coordinators.clone(), key);
    connection.ca_file.clone_from(&config.ca_file);
    connection.agent = concat!("ffleet-worker/", env!("CARGO_PKG_VERSION")).to_owned();
    let api = Api::new(connection)?;
    let state = Arc::new(StateDir::open(&config.state_dir)?);
    Ok(Worker {
        api,
        incarnation: Incarnation::new(),
        reports: Reports::new(Arc::clone(&state)),
        starter: Starter::new(Orphans::Adopt).context("cannot start the thread that starts programs")?,
        marks: MarkPrefix::new(state.id()),
        budget: Arc::new(Budget::new(config.spool.disk_bytes)),
        leases: Leases::default(),
        stages: Stages::default(),
        fleet: watched::Sender::new(WorkerState::Online),
        beat_now: Notify::new(),
        ears: Ears::default(),
        proven: RwLock::new(Arc::new(Proven::default())),
        register_now: Notify::new(),
        claiming: Mutex::new(None),
        beat: AtomicU64::new(0),
        give_up_permille: AtomicU32::new(800),
        attempts: TaskTracker::new(),
        state,
        config,
    })
}

/// The loops run beside each other until the worker has nothing more to do.
async fn live(
    worker: &Arc<Worker>,
    registered: ffleet_protocol::worker::Registered,
    stops: &mut mpsc::UnboundedReceiver<()>,
) -> Farewell {
    let stages = &worker.stages;
    let over = CancellationToken::new();
    let loops = TaskTracker::new();
    let beat_every = Duration::from_secs(registered.heartbeat_s.max(1));
    loops.spawn(over.clone().run_until_cancelled_owned(heartbeat::run(Arc::clone(worker), beat_every)));
    loops.spawn(over.clone().run_until_cancelled_owned(watch::run(Arc::clone(worker))));
    loops.spawn(over.clone().run_until_cancelled_owned(register::keep(Arc::clone(worker))));
    let claims = tokio::spawn(stages.draining.clone().run_until_cancelled_owned(claim::run(Arc::clone(worker))));

    let farewell = tokio::select! {
        () = stages.superseded.cancelled() => {
            tracing::error!("another start of worker {} has registered; this one stops at once", worker.config.id);
            stages.draining.cancel();
            Farewell::Superseded
        }
        () = drained(worker, claims) => Farewell::Left,
        () = listen(worker, stops) => Farewell::Left,
    };
    stages.handing_back.cancel();
    stages.leaving.cancel();
    worker.attempts.close();
    worker.attempts.wait().await;
    over.cancel();
    loops.close();
    loops.wait().await;
    farewell
}

/// Returns when the worker takes no work any more and its last attempt has ended.
async fn drained(worker: &Arc<Worker>, claims: tokio::task::JoinHandle<Option<()>>) {
    worker.stages.draining.cancelled().await;
    let _ = claims.await;
    // A claim that was broken off may have been granted. The next answer to a heartbeat says so, and it is rejected.
    worker.set_claiming(None);
    if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, heartbeat::once(worker)).await {
        worker.heed(&error);
    }
    worker.attempts.close();
    worker.attempts.wait().await;
}

/// Turns requests to stop into stages. Returns when the patience after the second one is over.
async fn listen(worker: &Worker, stops: &mut mpsc::UnboundedReceiver<()>) {
    let stages = &worker.stages;
    if stops.recv().await.is_none() {
        return std::future::pending().await;
    }
    let running = worker.leases.count();
    tracing::info!(running, "stopping: no new work is taken; once more to stop what runs and hand it back");
    stages.draining.cancel();
    if stops.recv().await.is_none() {
        return std::future::pending().await;
    }
    tracing::info!("stopping what runs and handing it back");
    stages.handing_back.cancel();
    tokio::time::sleep(FAREWELL + Duration::from_secs(worker.config.stop.forced_s)).await;
    tracing::warn!("not everything could be reported; it stays on disk for the next start");
}

async fn say_goodbye(worker: &Worker) {
    if worker.reports.any() {
        // Leaving ends all leases at once. The next start, if it comes soon, can still tell what is on disk.
        tracing::info!("worker {} stops without leaving: it has something to tell at its next start", worker.id());
        return;
    }
    let api = worker.api.with_deadline(Duration::from_secs(2)).with_try_timeout(Duration::from_secs(3));
    let leave = api.leave(&worker.config.id, worker.incarnation);
    match tokio::time::timeout(FAREWELL, leave).await {
        Ok(Ok(())) => tracing::info!("worker {} has left", worker.config.id),
        Ok(Err(error)) => tracing::warn!(%error, "the coordinators could not be told that this worker leaves"),
        Err(_) => tracing::warn!("the coordinators could not be told that this worker leaves: no answer"),
    }
}

impl Worker {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &WorkerId {
        &self.config.id
    }

    /// What worked when it was last tried.
    #[must_use]
    pub fn proven(&self) -> Arc<Proven> {
        Arc::clone(&self.proven.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_proven(&self, proven: Proven) {
        *self.proven.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(proven);
    }

    /// How many more tasks it could begin.
    #[must_use]
    pub fn free_slots(&self) -> u32 {
        self.config.slots.get().saturating_sub(self.leases.busy())
    }

    /// The token of a claim that is not answered yet.
    pub fn set_claiming(&self, token: Option<Token>) {
        *self.claiming.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    fn is_claiming(&self, token: Token) -> bool {
        *self.claiming.lock().unwrap_or_else(PoisonError::into_inner) == Some(token)
    }

    /// Begins an attempt that was just granted.
    pub fn begin(self: &Arc<Self>, grant: Grant) {
        let lease = LeaseRef { task: grant.task, epoch: grant.epoch, token: grant.token };
        let (held, orders) = Held::new(lease, self.patience(grant.lease_s), Moment::now());
        if self.leases.add(&held) {
            self.attempts.spawn(attempt::run(Arc::clone(self), grant, held, orders));
        }
    }

    /// How long a lease of this length is trusted after the last answer.
    #[must_use]
    pub fn patience(&self, lease_s: u64) -> Duration {
        let permille = u64::from(self.give_up_permille.load(Ordering::Relaxed));
        Duration::from_millis(lease_s.saturating_mul(permille))
    }

    fn set_give_up(&self, permille: u32) {
        // Longer than the lease itself would be longer than anybody else waits.
        self.give_up_permille.store(permille.clamp(1, 1000), Ordering::Relaxed);
    }

    /// What an error means for whoever got it; and if it concerns the whole worker, the worker is told.
    pub fn heed(&self, error: &ApiError) -> Refusal {
        if error.is(Code::Superseded) {
            self.stages.superseded.cancel();
        } else if error.is(Code::NotRegistered) {
            self.register_now.notify_one();
        }
        refusal(error)
    }
}

/// What a refused call means for the attempt it was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The attempt is over for the coordinators.
    Final,
    /// Nobody has decided; ask again.
    Later,
    /// The coordinator will never take this, however often it is asked.
    Nonsense,
}

/// Reads an error.
#[must_use]
pub fn refusal(error: &ApiError) -> Refusal {
    let over = [Code::StaleLease, Code::NoSuchTask, Code::WrongState];
    if over.iter().any(|code| error.is(*code)) {
        return Refusal::Final;
    }
    match error.problem().map(|problem| problem.status) {
        Some(400 | 413 | 415 | 422) => Refusal::Nonsense,
        // 401 and 403 are mended by people, 409 by registering again, the rest by time.
        Some(_) | None => Refusal::Later,
    }
}
