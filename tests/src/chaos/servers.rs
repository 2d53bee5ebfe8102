//! The servers of a run on a cluster: databases behind HAProxy, and brokers.

use std::{fs, path::Path, path::PathBuf, thread};

use ffleet_servers::{Mosquitto, Node, Process, RabbitMq, USER};

use super::stage::Log;
use crate::Cluster;

/// The account of the coordinators at the brokers.
const ACCOUNT: (&str, &str) = ("coordinators", "a-password");
const VHOST: &str = "ffleet";
/// What waits for listeners goes, or the very queues do, for all listeners at once. Says how many there were.
const PURGE: &str = "[rabbit_amqqueue:purge(Q) || Q <- rabbit_amqqueue:list(<<\"ffleet\">>)]";
const DELETE: &str =
    "[rabbit_amqqueue:delete(Q, false, false, <<\"chaos\">>) || Q <- rabbit_amqqueue:list(<<\"ffleet\">>)]";

/// All of them.
pub(super) struct Servers {
    pub(super) cluster: Cluster,
    rabbit: RabbitMq,
    mosquitto: Mosquitto,
    database: String,
}

impl Servers {
    /// Starts them. Takes a while, and blocks.
    pub(super) fn start() -> Self {
        thread::scope(|scope| {
            let rabbit = scope.spawn(|| {
                let rabbit = RabbitMq::start();
                rabbit.add_user(ACCOUNT.0, ACCOUNT.1, VHOST);
                rabbit
            });
            let mosquitto = Mosquitto::with_users(&[ACCOUNT], "allow_anonymous false\n");
            let cluster = Cluster::start();
            let database = cluster.database();
            Self { cluster, rabbit: rabbit.join().expect("a RabbitMQ"), mosquitto, database }
        })
    }

    /// The database, by way of HAProxy.
    pub(super) fn database(&self) -> String {
        self.database.clone()
    }

    /// What coordinators are told about the brokers.
    pub(super) fn config(&self) -> String {
        let (user, password) = ACCOUNT;
        let amqp = self.rabbit.url(user, password, VHOST);
        let mqtt = format!("mqtt://{user}:{password}@127.0.0.1:{}", self.mosquitto.port());
        format!("[notify.amqp]\nurls = [{amqp:?}]\n\n[notify.mqtt]\nurls = [{mqtt:?}]\n")
    }

    /// A node of the cluster, counted from 0.
    pub(super) fn node(&self, n: usize) -> &Node {
        &self.cluster.galera.nodes()[n % 3]
    }

    /// The node that the coordinators' connections lead to.
    pub(super) fn node_in_use(&self) -> usize {
        let connections = |n: &usize| {
            let of_ours = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{USER}'");
            self.node(*n).sql(&of_ours).parse::<usize>().unwrap_or_default()
        };
        (0..3).max_by_key(connections).unwrap_or_default()
    }

    /// A broker: RabbitMQ is 0, Mosquitto 1.
    pub(super) fn broker(&self, n: usize) -> &Process {
        if n == 0 { &self.rabbit } else { &self.mosquitto }
    }

    /// How its address ends in what others say about it.
    pub(super) fn broker_address(&self, n: usize) -> String {
        format!("127.0.0.1:{}", if n == 0 { self.rabbit.port() } else { self.mosquitto.port() })
    }

    /// Starts a broker again.
    pub(super) fn restart_broker(&self, n: usize) {
        if n == 0 { self.rabbit.restart() } else { self.mosquitto.restart() }
    }

    /// RabbitMQ loses what waits in it, or its queues as well; says how many queues there were.
    pub(super) fn purge(&self, with_queues: bool) -> usize {
        let all = if with_queues { DELETE } else { PURGE };
        let said = self.rabbit.ctl(&["eval", &format!("length({all}).")]);
        said.trim().parse().unwrap_or_else(|_| panic!("RabbitMQ said {said:?}"))
    }

    /// Nobody is stopped.
    pub(super) fn resume(&self) {
        (0..3).for_each(|n| self.node(n).resume());
        (0..2).for_each(|n| self.broker(n).resume());
    }

    /// What those say who may be ended and started again.
    pub(super) fn logs(&self) -> Vec<Log> {
        let node =
            |n: usize| Log { name: node_name(n), said: self.node(n).log(), start: "mariadbd: ready for connections" };
        let mut logs: Vec<_> = (0..3).map(node).collect();
        for (n, start) in [(0, "Server startup complete"), (1, " running\n")] {
            logs.push(Log { name: broker_name(n).to_owned(), said: self.broker(n).log(), start });
        }
        logs
    }

    /// Where they keep things; nodes of a cluster all have the same.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        [&**self.node(0), self.broker(0), self.broker(1)].map(|server| server.folder().to_owned()).into()
    }

    /// Leaves the logs and the database, as SQL, in a folder.
    pub(super) fn keep(&self, folder: &Path) {
        for log in self.logs() {
            // Whoever looks into the folder sees what is missing.
            drop(fs::write(folder.join(format!("{}.log", log.name)), log.said));
        }
        let name = self.database.rsplit('/').next().unwrap_or_default();
        let dump = self.node(0).dump(name).unwrap_or_else(|error| format!("it could not be read: {error}"));
        drop(fs::write(folder.join("database.sql"), dump));
    }
}

/// What a node is called in reports, counted from 0.
pub(super) fn node_name(n: usize) -> String {
    format!("node-{}", n % 3 + 1)
}

/// What a broker is called in reports.
pub(super) fn broker_name(n: usize) -> &'static str {
    if n == 0 { "rabbitmq" } else { "mosquitto" }
}
