//! The fleet of a run, and who may touch which part of it at a time.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use ffleet_client::Api;
use ffleet_protocol::{Timestamp, id::JobId, job::JobSpec};
use serde_json::json;
use tokio::{
    sync::{Mutex, MutexGuard},
    task::spawn_blocking,
};

use super::{Options, Serving, faults::BROKERS, script::Cast, servers::Servers, witness::Witness};
use crate::{Faults, Fleet, Proxy, Worker, WorkerSetup, spec};

/// Leases of 6 s, and room between giving up and the lapse for a machine with two busy cores.
pub(super) const TIMING: &str = "\
[timing]
heartbeat_s = 1
lease_s = 6
give_up_s = 4
forced_stop_s = 1
sweep_s = 1
assignment_s = 3
worker_silent_s = 15
client_gone_s = 20
";

/// For how long callers ask again where databases may be away for a while.
const PATIENT: Duration = Duration::from_secs(120);

/// Everything that a run plays with.
pub(super) struct Stage {
    pub(super) options: Options,
    pub(super) cast: Cast,
    pub(super) fleet: Fleet,
    pub(super) workers: Vec<Worker>,
    pub(super) witness: Witness,
    /// What the coordinators need besides themselves, where that is not a file.
    pub(super) servers: Option<Arc<Servers>>,
    /// Whoever does something to a coordinator, or needs it to be left alone, sits here.
    coordinators: Vec<Mutex<()>>,
    /// The same for a worker with its line.
    worker_seats: Vec<Mutex<()>>,
    /// The same for the lines of clients.
    line_seats: Vec<Mutex<()>>,
    /// The same for all databases.
    database_seat: Mutex<()>,
    /// The same for a broker.
    broker_seats: Vec<Mutex<()>>,
    begun: Instant,
}

/// What somebody has said, and the words with which each of its starts is over.
pub(super) struct Log {
    pub(super) name: String,
    pub(super) said: String,
    pub(super) start: &'static str,
}

impl Stage {
    /// Starts a fleet.
    pub(super) async fn set(options: Options) -> Arc<Self> {
        let cast = options.mix.cast();
        let lines = cast.workers + cast.client_lines;
        let mut setup = Fleet::setup().coordinators(cast.coordinators).proxies(lines * 2).config(TIMING);
        setup = match options.serving {
            Serving::Released => setup,
            Serving::ReleasedTold(order) => setup.serving("ffleet-coordinator", &[("FFLEET_SABOTAGE", order)]),
            Serving::Sabotaged(order) => setup.serving("ffleet-coordinator-sabotage", &[("FFLEET_SABOTAGE", order)]),
        };
        let servers = match options.mix.has_servers() {
            true => Some(Arc::new(spawn_blocking(Servers::start).await.expect("servers"))),
            false => None,
        };
        if let Some(servers) = &servers {
            setup =
                setup.database_at([servers.database()]).behind_haproxy().config(&servers.config()).patience(PATIENT);
        }
        let fleet = setup.start().await;
        std::fs::create_dir_all(fleet.media().join("chaos")).expect("a folder");
        let mut workers = Vec::new();
        for n in 0..cast.workers {
            // The last one has the real encoder, for it knows nothing of the steps of the fake one.
            let real = n + 1 == cast.workers && cast.workers > 1;
            let mut worker = WorkerSetup::new(&format!("worker-{n}")).slots(4).tag(if real { "real" } else { "fake" });
            for proxy in line(&fleet, n) {
                worker = worker.via(proxy);
            }
            workers.push(fleet.worker_with(if real { worker.real_ffmpeg() } else { worker }).await);
        }
        let seats = |n: usize| (0..n).map(|_| Mutex::default()).collect();
        Arc::new(Self {
            options,
            cast,
            workers,
            servers,
            witness: Witness::default(),
            coordinators: seats(cast.coordinators),
            worker_seats: seats(cast.workers),
            line_seats: seats(cast.client_lines),
            database_seat: Mutex::default(),
            broker_seats: seats(BROKERS),
            begun: Instant::now(),
            fleet,
        })
    }

    /// Tells whoever watches.
    pub(super) fn tell(&self, what: impl std::fmt::Display) {
        eprintln!("{:7.1} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    /// The proxies through which a worker speaks.
    pub(super) fn worker_line(&self, n: usize) -> [&Proxy; 2] {
        line(&self.fleet, n)
    }

    /// The proxies through which clients speak.
    pub(super) fn client_line(&self, n: usize) -> [&Proxy; 2] {
        line(&self.fleet, self.cast.workers + n)
    }

    /// The API as a client has it, through a line.
    pub(super) fn client(&self, n: usize) -> Api {
        self.fleet.api_via(&self.client_line(n), "studio")
    }

    /// Waits until nobody else does anything to a coordinator.
    pub(super) async fn coordinator_seat(&self, n: usize) -> MutexGuard<'_, ()> {
        self.coordinators[n].lock().await
    }

    /// Waits until nobody does anything to any coordinator or to the databases, and all coordinators are ready.
    pub(super) async fn all_coordinators(&self) -> Vec<MutexGuard<'_, ()>> {
        let mut seats = vec![self.database_seat().await];
        for seat in &self.coordinators {
            seats.push(seat.lock().await);
        }
        for coordinator in self.fleet.coordinators() {
            while coordinator.asked("/health/ready").await.0 != 200 {
                last(Duration::from_millis(200)).await;
            }
        }
        seats
    }

    /// Waits until nobody else does anything to the databases.
    pub(super) async fn database_seat(&self) -> MutexGuard<'_, ()> {
        self.database_seat.lock().await
    }

    /// Waits until nobody else does anything to a broker.
    pub(super) async fn broker_seat(&self, n: usize) -> MutexGuard<'_, ()> {
        self.broker_seats[n].lock().await
    }

    /// Keeps everything for whoever wants to look at it; says where.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.servers.iter().for_each(|servers| servers.keep(&self.fleet.dir().join("logs")));
        self.fleet.keep()
    }

    /// The logs of all who may be ended and started again.
    pub(super) fn logs(&self) -> Vec<Log> {
        let coordinator = |n: usize| {
            let name = format!("coordinator-{n}");
            let said = std::fs::read_to_string(self.fleet.log_path(&name)).unwrap_or_default();
            Log { name, said, start: "listening on http" }
        };
        let mut logs: Vec<_> = (1..=self.cast.coordinators).map(coordinator).collect();
        logs.extend(self.servers.iter().flat_map(|servers| servers.logs()));
        logs
    }

    /// Waits until nobody else does anything to a worker and its line.
    pub(super) async fn worker_seat(&self, n: usize) -> MutexGuard<'_, ()> {
        self.worker_seats[n].lock().await
    }

    /// Waits until nobody else does anything to a line of clients.
    pub(super) async fn line_seat(&self, n: usize) -> MutexGuard<'_, ()> {
        self.line_seats[n].lock().await
    }

    /// Submits a job that lasts so many milliseconds, on behalf of a fault.
    pub(super) async fn extra(&self, api: &Api, label: &str, ms: u64) -> Option<JobId> {
        let spec = Self::spec_of_extra(label, ms);
        self.witness.seen().labels.insert(label.to_owned());
        match api.submit(&spec, &format!("key-{label}")).await {
            Ok(submitted) => {
                self.witness.seen().extra.push(submitted.id);
                Some(submitted.id)
            }
            Err(error) => {
                self.witness.failure(format!("job {label}"), format!("its submit failed: {error}"));
                None
            }
        }
    }

    /// A job that says its own label and takes its time.
    pub(super) fn spec_of_extra(label: &str, ms: u64) -> JobSpec {
        spec(
            ["-fake-say", label, "-fake-work", &ms.to_string()],
            json!({ "labels": { "chaos": label }, "needs": { "tags": ["fake"] } }),
        )
    }
}

fn line(fleet: &Fleet, n: usize) -> [&Proxy; 2] {
    [fleet.proxy(2 * n), fleet.proxy(2 * n + 1)]
}

/// Everything that a proxy has done to anybody.
pub(super) fn total(proxies: &[&Proxy]) -> u64 {
    let of = |proxy: &&Proxy| {
        let Faults { reset, unreachable, delayed, held, swallowed, cut, lost, repeated, kept, late } = proxy.faults();
        reset + unreachable + delayed + held + swallowed + cut + lost + repeated + kept + late
    };
    proxies.iter().map(of).sum()
}

/// Lets a fault last. (Nothing is waited for; the fault is its duration.)
pub(super) async fn last(time: Duration) {
    tokio::time::sleep_until(tokio::time::Instant::now() + time).await;
}

/// Looks again and again for something that tells nobody; whether it came in time.
pub(super) async fn came(time: Duration, it_is: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + time;
    while !it_is() {
        if Instant::now() > deadline {
            return false;
        }
        last(Duration::from_millis(50)).await;
    }
    true
}

/// Now, in microseconds since 1970, by the clock of this machine.
pub(super) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}
