//! The fault run: a controller that decides everything from a seed drives several coordinators on one database, several
//! workers and many clients, lets things go wrong, heals them, lets everything end, and then checks that every promise
//! was kept.
//!
//! There are two coordinators on a file, or ([`Mix::Cluster`]) three behind HAProxy on a cluster of databases, with a
//! RabbitMQ and a Mosquitto. All workers and clients speak through [`crate::Proxy`]s. What everybody saw is written down and held against the
//! history in the database ([`crate::checker`]).
//!
//! | invariant | how it is looked at |
//! |---|---|
//! | I1 | acknowledged jobs are in the database and have ended; followers saw the same end; the replay of every task |
//! | I2 | one attempt of a completed task has won; the file it made is signed by that attempt |
//! | I3 | the replay; words of workers that come back when others have their task are refused |
//! | I4 | the replay against the reference machine; job status as a fold |
//! | I5 | each submit carries a label of its own: no label has two jobs; nothing is retried more often than asked |
//! | I6 | leases do not overlap; encoders keep a diary, and no two of one task ran at once |
//! | I7 | after healing everything ends |
//! | I8 | records in the database, and as followers saw them, are 1…n |
//! | I9 | no process, lease or file of a worker's is left |
//! | I10 | no call of a client failed; jobs end as their programs do |
//! | I11 | the secrets of the fleet's keys are in no log, table, file or command line |
//! | I12 | each fault was felt by somebody; coordinators and servers started as often as they were ended |

mod clients;
mod diary;
mod faults;
mod inject;
mod late;
mod outages;
mod replay;
mod report;
mod script;
mod secrets;
mod servers;
mod stage;
mod verdict;
mod witness;
mod work;

use std::{sync::Arc, time::Duration, time::Instant};

use ffleet_protocol::{job::JobFilter, job::JobPage};
use tokio::{sync::Semaphore, task::JoinSet};

pub use report::Report;
use script::{Cast, Move};
use secrets::Canary;
use stage::{Stage, last};

use crate::checker::{History, Invariant};

/// Jobs under way at once.
const CLIENTS: usize = 32;
/// Faults under way at once.
const TROUBLES: usize = 3;
/// How long everything may take to end after the last fault was healed: tasks avoid a worker that lost them for 60 s, and
/// badly ended ones wait 10 s for another try.
const DRAIN: Duration = Duration::from_secs(150);

/// What a run is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Jobs of the script; faults make some of their own.
    pub jobs: usize,
    /// Faults.
    pub faults: usize,
    /// Decides everything.
    pub seed: u64,
    /// Which kinds of faults.
    pub mix: Mix,
    /// Which coordinator.
    pub serving: Serving,
}

impl Default for Options {
    fn default() -> Self {
        Self { jobs: 150, faults: 40, seed: 1, mix: Mix::Everything, serving: Serving::Released }
    }
}

/// Which coordinator serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    /// The one that is released.
    Released,
    /// The same, given an order for the sabotaged one, which must mean nothing to it.
    ReleasedTold(&'static str),
    /// The one with faults built in, and which of them it is to have.
    Sabotaged(&'static str),
}

/// Which faults there are, and who is there to suffer them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// All of those that two coordinators on a file can meet.
    Everything,
    /// Those of a cluster of databases, of brokers and of HAProxy, and then all the others as well.
    Cluster,
    /// Workers that come back when others have their tasks.
    LateWorkers,
    /// Coordinators that die while they take submits.
    KilledSubmits,
    /// Strangers who repeat what they have seen.
    Replays,
}

impl Mix {
    fn cast(self) -> Cast {
        match self {
            Self::Everything => Cast { coordinators: 2, workers: 5, client_lines: 2 },
            Self::Cluster => Cast { coordinators: 3, workers: 5, client_lines: 2 },
            Self::LateWorkers | Self::KilledSubmits => Cast { coordinators: 1, workers: 1, client_lines: 1 },
            Self::Replays => Cast { coordinators: 2, workers: 1, client_lines: 1 },
        }
    }

    /// Whether there are servers besides the coordinators.
    fn has_servers(self) -> bool {
        self == Self::Cluster
    }
}

/// Runs the script of these options to its end and judges it.
///
/// # Panics
/// When the fleet cannot be started, or the harness itself fails.
pub async fn run(options: Options) -> Report {
    let begun = Instant::now();
    let stage = Stage::set(options).await;
    let canaries: Arc<[Canary]> = secrets::canaries(stage.fleet.dir()).into();
    stage.tell(format_args!("{} jobs and {} faults, seed {}", options.jobs, options.faults, options.seed));
    let clients = act(&stage, &canaries).await;
    heal(&stage).await;
    stage.tell("every fault is healed");
    drain(&stage, clients).await;
    stage.witness.seen().violations.extend(secrets::in_processes(stage.fleet.dir(), &canaries));
    let Ok(mut stage) = Arc::try_unwrap(stage) else { panic!("somebody still plays") };
    for left in stage.fleet.leave().await {
        stage.witness.violation(Invariant::I9, "at the end", left);
    }
    let history = History::read(stage.fleet.database()).await.expect("a database");
    let mut seen = std::mem::take(&mut stage.witness).into_seen();
    let mut verdict = verdict::judge(&stage, &history, &seen);
    verdict.violations.append(&mut seen.violations);
    let servers = stage.servers.iter().flat_map(|servers| servers.folders()).collect::<Vec<_>>();
    verdict.violations.extend(secrets::in_files(stage.fleet.dir(), &servers, &canaries));
    verdict.violations.sort_by_key(|violation| violation.invariant);
    let expected = matches!(options.serving, Serving::Sabotaged(_));
    let kept = (!verdict.violations.is_empty() && !expected).then(|| stage.keep());
    Report::new(options, begun.elapsed(), verdict, &seen, kept)
}

/// Makes every move of the script, several at a time, until the last fault is over. Gives the clients that go on.
async fn act(stage: &Arc<Stage>, canaries: &Arc<[Canary]>) -> JoinSet<()> {
    let (clients, troubles) = (Arc::new(Semaphore::new(CLIENTS)), Arc::new(Semaphore::new(TROUBLES)));
    let (mut submitting, mut breaking) = (JoinSet::new(), JoinSet::new());
    let mut number = 0;
    for step in script::script(&stage.options, stage.cast) {
        let gate = if matches!(step, Move::Submit(_)) { &clients } else { &troubles };
        let permit = Arc::clone(gate).acquire_owned().await.expect("nobody closes it");
        let stage = Arc::clone(stage);
        match step {
            Move::Submit(submit) => {
                submitting.spawn(async move {
                    clients::client(&stage, submit).await;
                    drop(permit);
                });
            }
            Move::Fault(fault) => {
                number += 1;
                let canaries = Arc::clone(canaries);
                breaking.spawn(async move {
                    stage.witness.seen().violations.extend(secrets::in_processes(stage.fleet.dir(), &canaries));
                    let felt = inject::inject(&stage, &fault, number).await;
                    stage.witness.seen().faults.push((fault.kind, felt));
                    let jobs = stage.witness.seen().jobs.len();
                    let felt = if felt { "" } else { " (felt by nobody)" };
                    let all = stage.options;
                    stage.tell(format_args!(
                        "{jobs}/{} jobs ended, {number}/{} faults: {}{felt}",
                        all.jobs,
                        all.faults,
                        fault.kind.name()
                    ));
                    drop(permit);
                });
            }
        }
        reap(&mut submitting);
        reap(&mut breaking);
    }
    stage.tell("every job is submitted, every fault under way");
    while let Some(done) = breaking.join_next().await {
        done.expect("a player does not panic");
    }
    submitting
}

/// Forgets those who are done; a panic among them is ours.
fn reap(under_way: &mut JoinSet<()>) {
    while let Some(done) = under_way.try_join_next() {
        done.expect("a player does not panic");
    }
}

/// Everybody can speak and nobody is stopped. Faults undo themselves; this is for certain.
async fn heal(stage: &Stage) {
    for n in 0..stage.cast.workers {
        let _seat = stage.worker_seat(n).await;
        stage.worker_line(n).into_iter().for_each(crate::Proxy::heal);
        stage.workers[n].process().cont();
    }
    for n in 0..stage.cast.client_lines {
        stage.client_line(n).into_iter().for_each(crate::Proxy::heal);
    }
    for coordinator in stage.fleet.coordinators() {
        coordinator.process().cont();
    }
    stage.servers.iter().for_each(|servers| servers.resume());
}

/// Waits until every client has seen the end of its job and every job has ended.
async fn drain(stage: &Stage, mut clients: JoinSet<()>) {
    let all = async {
        while let Some(done) = clients.join_next().await {
            done.expect("a player does not panic");
        }
    };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        let what = format!("{} of them wait in vain for the ends of their jobs", clients.len());
        stage.witness.violation(Invariant::I7, "the clients", what);
        clients.shutdown().await;
    }
    let status = Some("pending,assigned,running,canceling".to_owned());
    let filter = JobFilter { status, limit: Some(1_000), ..JobFilter::default() };
    let deadline = Instant::now() + DRAIN;
    loop {
        let JobPage { jobs, .. } = stage.fleet.chief().jobs(&filter).await.expect("a list of jobs");
        if jobs.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            for job in jobs {
                stage.witness.violation(
                    Invariant::I7,
                    format!("job {}", job.id),
                    format!("it is still {}", job.status),
                );
            }
            return;
        }
        last(Duration::from_millis(500)).await;
    }
}
