//! What goes wrong in a run: which fault, to whom and for how long.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};

use super::script::Cast;

macro_rules! kinds {
    ($($(#[$about:meta])* $list:ident { $($(#[$doc:meta])* $kind:ident = $name:literal;)+ })+) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Kind { $($($(#[$doc])* $kind),+),+ }

        impl Kind {
            $($(#[$about])* pub(super) const $list: &'static [Self] = &[$(Self::$kind),+];)+

            /// For the report.
            pub(super) fn name(self) -> &'static str {
                match self { $($(Self::$kind => $name),+),+ }
            }
        }
    };
}

kinds! {
    /// Those that there are wherever everything is kept.
    ANYWHERE {
    /// SIGKILL, and started again after a while.
    KillCoordinator = "coordinator killed";
    /// SIGTERM, and started again after a while.
    RestartCoordinator = "coordinator restarted";
    /// SIGSTOP, and SIGCONT after a while.
    StopCoordinator = "coordinator stopped";
    /// Many submits at once, and SIGKILL when the first of them are answered.
    KilledSubmits = "coordinator killed amid submits";
    /// SIGKILL, and started again after a while.
    KillWorker = "worker killed";
    /// SIGSTOP, and SIGCONT after a while.
    StopWorker = "worker stopped";
    /// SIGTERM twice: it hands back what runs, and is started again.
    RestartWorker = "worker restarted";
    /// Everything waits, as behind a cut cable, while the worker goes on.
    Partition = "worker partitioned";
    /// Everything is swallowed.
    BlackHole = "worker in a black hole";
    /// Everything comes late.
    Delay = "line delayed";
    /// Every connection is reset.
    Reset = "line reset";
    /// New connections are refused, the old ones reset.
    Refuse = "line refused";
    /// Whichever connection carries some later byte ends there.
    Cut = "line cut";
    /// A worker's request is done and its answer lost.
    WorkerLosesAnswer = "worker's answer lost";
    /// A worker's request arrives several times.
    WorkerRepeats = "worker's request repeated";
    /// A submit is done and its answer lost.
    SubmitLosesAnswer = "submit's answer lost";
    /// A submit arrives several times.
    SubmitRepeats = "submit repeated";
    /// A submit arrives after its client has sent it again.
    SubmitLate = "submit delivered late";
    /// A worker that takes a task, goes silent, and speaks again when others have it.
    LateWorker = "worker back too late";
    /// A stranger sends a signed request again, at every coordinator.
    Replay = "request replayed by a stranger";
    }

    /// Those of servers: a cluster of databases, brokers, and HAProxy in front.
    SERVERS {
    /// SIGKILL, and started again when the others have noticed.
    KillNode = "database node killed";
    /// SIGSTOP, and SIGCONT after a while.
    StopNode = "database node stopped";
    /// It cannot hear the others, while its clients reach it.
    CutOffNode = "database node cut off";
    /// SIGSTOP for two of three nodes; nobody may decide anything.
    LoseQuorum = "quorum lost";
    /// SIGKILL for all at once; the one that has most begins anew.
    KillNodes = "all database nodes killed";
    /// HAProxy gets a new process, before the coordinators or before the databases.
    ReloadFront = "HAProxy reloaded";
    /// SIGSTOP, and SIGCONT after a while.
    StopBroker = "broker stopped";
    /// What waits in it is gone, or the queues are.
    PurgeBroker = "broker purged";
    /// SIGKILL, and started again after a moment.
    KillBroker = "broker killed";
    /// SIGKILL, and nobody starts it for long.
    LoseBroker = "broker gone";
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What.
    pub(super) kind: Kind,
    /// Which coordinator, worker or line; what it counts depends on the kind.
    pub(super) who: usize,
    /// For how long.
    pub(super) time: Duration,
    /// How many: bytes before a cut, deliveries of a request.
    pub(super) count: u64,
    /// Which of two ways: the answer instead of the request, at once instead of one after the other.
    pub(super) other: bool,
    /// Which request, among those of its kind.
    pub(super) request: &'static str,
}

/// The node of a cluster that is in use, or one that stands by.
const NODES: usize = 2;
/// HAProxy before the coordinators, and before the databases.
const FRONTS: usize = 2;
/// RabbitMQ and Mosquitto.
pub(super) const BROKERS: usize = 2;

/// What workers send.
const REPORTS: &[&str] =
    &["/v1/claims", "/v1/tasks/*/accept", "/v1/tasks/*/logs", "/v1/tasks/*/finish", "/v1/workers/*/heartbeat"];

impl Fault {
    /// Any fault of this kind.
    pub(super) fn any(kind: Kind, cast: Cast, rng: &mut StdRng) -> Self {
        use Kind as K;
        let (who, ms) = match kind {
            K::KillCoordinator | K::RestartCoordinator | K::KilledSubmits => (cast.coordinators, 0..2_500),
            K::StopCoordinator => (cast.coordinators, 500..7_000),
            K::KillWorker | K::RestartWorker => (cast.workers, 0..2_000),
            // Around the lease and the moment at which a worker gives up.
            K::StopWorker | K::Partition | K::BlackHole => (cast.workers, 1_500..10_000),
            K::WorkerLosesAnswer | K::WorkerRepeats => (cast.workers, 0..1),
            K::Delay | K::Reset | K::Refuse | K::Cut => (cast.workers + cast.client_lines, 1_000..4_000),
            K::SubmitLosesAnswer | K::SubmitRepeats | K::SubmitLate => (cast.client_lines, 0..1),
            K::LateWorker | K::Replay => (1, 0..1),
            K::KillNode | K::KillNodes => (NODES, 0..2_000),
            // Around the time after which the others go on without it.
            K::StopNode => (NODES, 500..5_000),
            K::CutOffNode => (NODES, 0..3_000),
            K::LoseQuorum => (NODES, 10_000..12_000),
            K::ReloadFront => (FRONTS, 0..1),
            K::StopBroker => (BROKERS, 2_000..8_000),
            K::PurgeBroker => (1, 0..1),
            K::KillBroker => (BROKERS, 0..2_500),
            K::LoseBroker => (BROKERS, 10_000..20_000),
        };
        Self {
            kind,
            who: rng.random_range(0..who),
            time: Duration::from_millis(rng.random_range(ms)),
            count: rng.random_range(2..5),
            other: rng.random(),
            request: REPORTS[rng.random_range(0..REPORTS.len())],
        }
    }
}
