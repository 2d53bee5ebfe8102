//! What happens to databases, brokers and HAProxy, while callers go on as if nothing had.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use ffleet_servers::Process;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{block_in_place, spawn_blocking},
};

use super::{
    faults::{Fault, Kind},
    inject::{SOON, is_stopped},
    servers::{Servers, broker_name, node_name},
    stage::{Stage, came, last},
};

/// Between two submits while something is away.
const PAUSE: Duration = Duration::from_millis(200);
/// Coordinators try a broker that was away for long every ten seconds.
const RECONNECTED: Duration = Duration::from_secs(30);
/// HAProxy asks a coordinator that waits for its database twice before it believes it.
const TOLD: Duration = Duration::from_secs(30);

/// Does something to servers, which takes its time.
async fn so<T: Send + 'static>(stage: &Stage, act: impl FnOnce(&Servers) -> T + Send + 'static) -> T {
    let servers = stage.servers.clone().expect("only a run with servers has these faults");
    spawn_blocking(move || act(&servers)).await.expect("a server that can be started again")
}

/// Stops a server; whether it comes to stand still, which takes the kernel a moment.
async fn stands_still(stage: &Stage, which: impl Fn(&Servers) -> &Process + Send + 'static) -> bool {
    let stop = move |servers: &Servers| {
        which(servers).pause();
        which(servers).pid()
    };
    let pid = so(stage, stop).await;
    came(SOON, || is_stopped(pid)).await
}

/// Submits as long as something lasts, and once more when it is over. That one answered, the installation works again.
async fn amid_submits(stage: &Stage, number: usize, outage: impl Future<Output = bool>) -> bool {
    let over = AtomicBool::new(false);
    let submits = async {
        for n in 0.. {
            let last_one = over.load(Ordering::Relaxed);
            stage.extra(stage.fleet.api(), &format!("outage-{number}-{n}"), 100).await;
            if last_one {
                return;
            }
            last(PAUSE).await;
        }
    };
    let outage = async {
        let felt = outage.await;
        over.store(true, Ordering::Relaxed);
        felt
    };
    tokio::join!(submits, outage).1
}

/// Something happens to nodes of the cluster; all of them work together again at its end.
pub(super) async fn of_databases(stage: &Stage, fault: &Fault, number: usize) -> bool {
    let _seat = stage.database_seat().await;
    let which = fault.who;
    let outage = async {
        let n = so(stage, move |servers| servers.node_in_use() + which).await;
        let felt = match fault.kind {
            Kind::KillNode => kill(stage, fault, n).await,
            Kind::StopNode => stop(stage, fault, n).await,
            Kind::CutOffNode => cut_off(stage, fault, n).await,
            Kind::LoseQuorum => lose_quorum(stage, fault, n).await,
            _ => kill_all(stage, fault).await,
        };
        so(stage, |servers| servers.cluster.galera.wait_synced()).await;
        felt
    };
    amid_submits(stage, number, outage).await
}

async fn kill(stage: &Stage, fault: &Fault, n: usize) -> bool {
    so(stage, move |servers| servers.node(n).kill9()).await;
    stage.witness.ended(&node_name(n));
    let felt = so(stage, move |servers| sees(servers, n + 1, "wsrep_cluster_size", "2")).await;
    last(fault.time).await;
    so(stage, move |servers| servers.node(n).restart()).await;
    felt
}

/// The others wait for it, and after some seconds they do without.
async fn stop(stage: &Stage, fault: &Fault, n: usize) -> bool {
    let stopped = stands_still(stage, move |servers| servers.node(n)).await;
    let felt = match fault.other {
        true => so(stage, move |servers| sees(servers, n + 1, "wsrep_cluster_size", "2")).await,
        false => stopped,
    };
    last(fault.time).await;
    so(stage, move |servers| servers.node(n).resume()).await;
    felt
}

async fn cut_off(stage: &Stage, fault: &Fault, n: usize) -> bool {
    so(stage, move |servers| servers.node(n).isolate()).await;
    let felt = so(stage, move |servers| sees(servers, n + 1, "wsrep_cluster_size", "2")).await;
    last(fault.time).await;
    so(stage, move |servers| servers.node(n).rejoin()).await;
    felt
}

/// Two of three stand still. Nothing can be decided, and callers are told to come back.
async fn lose_quorum(stage: &Stage, fault: &Fault, n: usize) -> bool {
    so(stage, move |servers| [n + 1, n + 2].map(|other| servers.node(other).pause())).await;
    let lost = so(stage, move |servers| sees(servers, n, "wsrep_cluster_status", "non-Primary")).await;
    let (told, ()) = tokio::join!(told_to_come_back(stage), last(fault.time));
    so(stage, move |servers| [n + 1, n + 2].map(|other| servers.node(other).resume())).await;
    lost && told
}

async fn kill_all(stage: &Stage, fault: &Fault) -> bool {
    so(stage, |servers| [0, 1, 2].map(|n| servers.node(n).kill9())).await;
    (0..3).for_each(|n| stage.witness.ended(&node_name(n)));
    let told = told_to_come_back(stage).await;
    last(fault.time).await;
    so(stage, |servers| servers.cluster.galera.bootstrap()).await;
    told
}

/// Whether a node comes to see something.
fn sees(servers: &Servers, node: usize, variable: &str, value: &str) -> bool {
    let deadline = Instant::now() + SOON;
    while servers.node(node).status(variable) != value {
        if Instant::now() > deadline {
            return false;
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    true
}

/// Whether whoever asks comes to hear 503 with the time to wait.
async fn told_to_come_back(stage: &Stage) -> bool {
    let place = stage.fleet.front_address();
    let asking = async {
        loop {
            if let Some(answer) = asked(&place).await
                && answer.starts_with("http/1.1 503")
                && answer.contains("\r\nretry-after: ")
            {
                return;
            }
            last(PAUSE).await;
        }
    };
    tokio::time::timeout(TOLD, asking).await.is_ok()
}

/// The answer to a request that anybody may make, in small letters.
async fn asked(place: &str) -> Option<String> {
    let mut stream = TcpStream::connect(place).await.ok()?;
    let request = format!("GET /health/ready HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    Some(String::from_utf8_lossy(&answer).to_lowercase())
}

/// HAProxy gets a new process, and nobody loses a connection.
pub(super) async fn reload(stage: &Stage, fault: &Fault) -> bool {
    if fault.who == 0 {
        block_in_place(|| stage.fleet.front().reload(&stage.fleet.front_config()));
    } else {
        // Whoever does something to the databases looks at them through it.
        let _seat = stage.database_seat().await;
        so(stage, |servers| servers.cluster.reload()).await;
    }
    // Without a new process there it would not have come back.
    true
}

/// Something happens to a broker; coordinators hear each other by it again at its end.
pub(super) async fn of_broker(stage: &Stage, fault: &Fault, number: usize) -> bool {
    let _seat = stage.broker_seat(fault.who).await;
    let outage = async {
        match fault.kind {
            Kind::StopBroker => stop_broker(stage, fault).await,
            Kind::PurgeBroker => purge(stage, fault).await,
            _ => kill_broker(stage, fault).await,
        }
    };
    amid_submits(stage, number, outage).await
}

async fn stop_broker(stage: &Stage, fault: &Fault) -> bool {
    let n = fault.who;
    let felt = stands_still(stage, move |servers| servers.broker(n)).await;
    last(fault.time).await;
    so(stage, move |servers| servers.broker(n).resume()).await;
    felt
}

/// Whether there was something to lose. After another fault, coordinators may still be on their way back.
async fn purge(stage: &Stage, fault: &Fault) -> bool {
    let (with_queues, deadline) = (fault.other, Instant::now() + RECONNECTED);
    while so(stage, move |servers| servers.purge(with_queues)).await == 0 {
        if Instant::now() > deadline {
            return false;
        }
    }
    true
}

async fn kill_broker(stage: &Stage, fault: &Fault) -> bool {
    let n = fault.who;
    let address = so(stage, move |servers| servers.broker_address(n)).await;
    let said = Ears::open(stage);
    so(stage, move |servers| servers.broker(n).kill9()).await;
    stage.witness.ended(broker_name(n));
    let felt = came(SOON, || said.has(&address, "carries no nudges")).await;
    last(fault.time).await;
    let said = Ears::open(stage);
    so(stage, move |servers| servers.restart_broker(n)).await;
    felt && came(RECONNECTED, || said.has(&address, "nudges travel over")).await
}

/// What coordinators say from a moment on.
struct Ears(Vec<(PathBuf, u64)>);

impl Ears {
    fn open(stage: &Stage) -> Self {
        let logs = (1..=stage.cast.coordinators).map(|n| stage.fleet.log_path(&format!("coordinator-{n}")));
        Self(logs.map(|log| (log.clone(), log.metadata().map_or(0, |file| file.len()))).collect())
    }

    /// Whether one of them has said a line with both in it.
    fn has(&self, one: &str, other: &str) -> bool {
        self.0.iter().any(|(log, from)| {
            let mut said = Vec::new();
            let read = File::open(log).and_then(|mut file| {
                file.seek(SeekFrom::Start(*from))?;
                file.read_to_end(&mut said)
            });
            let said = String::from_utf8_lossy(&said);
            read.is_ok() && said.lines().any(|line| line.contains(one) && line.contains(other))
        })
    }
}
