//! Three nodes of MariaDB with Galera, on one machine.

use std::{fs, ops::Deref, panic::resume_unwind, sync::OnceLock, thread};

use crate::{
    mariadb::{MariaDb, create},
    names::unique_name,
    ports::free_port,
    process::{Failed, start_anew},
    programs::galera_library,
    waits::until,
};

/// Three nodes that hold the same data.
pub struct Galera {
    nodes: [Node; 3],
}

/// One node of a [`Galera`].
pub struct Node {
    pub(crate) server: MariaDb,
}

/// The last transaction that a node has: which history, and how far in it.
struct Position {
    history: String,
    number: i64,
}

impl Galera {
    /// Starts a cluster.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[], "")
    }

    /// Starts nodes that are prepared, one after the other as operators do. When the first one works, `prepare` is done there;
    /// the others then copy it.
    pub(crate) fn begin(nodes: [Node; 3], prepare: impl FnOnce(&MariaDb)) -> Result<Self, Failed> {
        let cluster = Self { nodes };
        let [first, others @ ..] = &cluster.nodes;
        first.server.begin(&[String::from("--wsrep-new-cluster")])?;
        until("the first node is synced", || first.is_synced());
        prepare(first);
        for node in others {
            node.server.begin(&[])?;
            until("the next node is synced", || node.is_synced());
        }
        cluster.wait_synced();
        Ok(cluster)
    }

    /// Starts a cluster with further options of `mariadbd`, and of Galera, such as `evs.suspect_timeout=PT2S`.
    #[must_use]
    pub fn with(options: &[&str], provider: &str) -> Self {
        start_anew(|| {
            let cluster = Self { nodes: prepare(options, provider) };
            let [first, others @ ..] = &cluster.nodes;
            first.server.begin(&[String::from("--wsrep-new-cluster")])?;
            join(first, others.each_ref().map(|node| (node, vec![])))?;
            cluster.wait_synced();
            Ok(cluster)
        })
    }

    /// One for the whole test program, started by whoever asks first.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Galera> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node; 3] {
        &self.nodes
    }

    /// Creates an empty database with a name of its own, and gives its address at each node.
    #[must_use]
    pub fn database(&self) -> [String; 3] {
        let name = unique_name();
        let node = self.living().next().expect("a node that lives");
        node.sql(&create(&name));
        for node in self.living() {
            until(&format!("database {name} is everywhere"), || {
                node.sql(&format!("SHOW DATABASES LIKE '{name}'")) == name
            });
        }
        self.nodes.each_ref().map(|node| node.url(&name))
    }

    /// Waits until all nodes that run belong to one cluster and are ready for work.
    pub fn wait_synced(&self) {
        let count = self.living().count();
        for node in self.living() {
            until(&format!("{count} nodes are synced"), || {
                node.is_synced() && node.status("wsrep_cluster_size") == count.to_string()
            });
        }
    }

    /// Brings the cluster back after all nodes have ended: the one that has most begins, and the others join it. Nodes
    /// that still run are killed first.
    pub fn bootstrap(&self) {
        self.living().for_each(|node| node.kill9());
        // Each of them takes its time to find out.
        let positions = thread::scope(|scope| {
            let looking = self.nodes.each_ref().map(|node| scope.spawn(|| node.position()));
            looking.map(|position| position.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let mut order = [0, 1, 2];
        order.sort_by_key(|node| -positions[*node].number);
        let [(first, position), others @ ..] = order.map(|node| (&self.nodes[node], positions[node].option()));
        first.may_begin();
        first.server.begin(&[String::from("--wsrep-new-cluster"), position]).unwrap_or_else(Failed::panic);
        join(first, others.map(|(node, position)| (node, vec![position]))).unwrap_or_else(Failed::panic);
        self.wait_synced();
    }

    fn living(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_alive())
    }
}

impl Node {
    /// Ends it in order, if it runs, and lets it join the others with what it has. At least one of them must run.
    pub fn restart(&self) {
        self.terminate();
        self.server.begin(&[self.position().option()]).unwrap_or_else(Failed::panic);
        until("the node is synced again", || self.is_synced());
    }

    /// Cuts it off from the others, which it can no longer hear, and waits until it knows. Clients still reach it.
    pub fn isolate(&self) {
        self.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'");
        until("the node knows that it is alone", || self.status("wsrep_cluster_status") == "non-Primary");
    }

    /// Undoes [`Self::isolate`], and waits until it has caught up.
    pub fn rejoin(&self) {
        self.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'");
        until("the node is synced again", || self.is_synced());
    }

    /// A status variable of it, such as `wsrep_cluster_size`; empty if it does not answer.
    #[must_use]
    pub fn status(&self, name: &str) -> String {
        let row = self.try_sql(&format!("SHOW GLOBAL STATUS LIKE '{name}'")).unwrap_or_default();
        row.split_once('\t').map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    /// Whether it is part of a cluster that may work, and has everything that the others have.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.status("wsrep_local_state_comment") == "Synced"
            && self.status("wsrep_cluster_status") == "Primary"
            && self.status("wsrep_ready") == "ON"
    }

    /// How far it had come when it ended. Without it the node would ask for everything.
    fn position(&self) -> Position {
        let already = self.log().len();
        self.server.launch(&mut self.server.server(&[String::from("--wsrep-recover")]));
        self.server.ended();
        let said = self.log_since(already);
        let position =
            said.lines().find_map(|line| line.split_once("Recovered position:")).map(|(_, position)| position.trim());
        let position = position.and_then(|position| position.rsplit_once(':'));
        let (history, number) = position.unwrap_or_else(|| panic!("no position was recovered:\n{said}"));
        Position { history: history.to_owned(), number: number.parse().expect("a number") }
    }

    /// Galera forgets on a crash that this node may be the first, and refuses until it is told.
    fn may_begin(&self) {
        let path = self.server.data().join("grastate.dat");
        let state = fs::read_to_string(&path).expect("the state of a node");
        fs::write(&path, state.replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1")).expect("our own file");
    }
}

impl Deref for Node {
    type Target = MariaDb;

    fn deref(&self) -> &MariaDb {
        &self.server
    }
}

impl Position {
    fn option(&self) -> String {
        format!("--wsrep-start-position={}:{}", self.history, self.number)
    }
}

/// Starts the others, with these options, when the first one runs.
fn join(first: &Node, others: [(&Node, Vec<String>); 2]) -> Result<(), Failed> {
    until("the first node is ready for others", || first.is_synced());
    thread::scope(|scope| {
        let starting = [2, 3].into_iter().zip(others).map(|(size, (node, options))| {
            let start = scope.spawn(move || node.server.begin(&options));
            // They exchange data at the same time, but groups are made one after the other, or they take long.
            until("the node is known to the first one, or has given up", || {
                start.is_finished() || first.status("wsrep_cluster_size") == size.to_string()
            });
            start
        });
        let starting: Vec<_> = starting.collect();
        starting.into_iter().try_for_each(|start| start.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Three nodes that know of each other and are not started yet.
fn prepare(options: &[&str], provider: &str) -> [Node; 3] {
    let groups = [free_port(), free_port(), free_port()];
    let addresses = groups.map(|port| format!("127.0.0.1:{port}")).join(",");
    let library = galera_library();
    [0, 1, 2].map(|n| {
        let (group, increment, state) = (groups[n], free_port(), free_port());
        let mut all = vec![
            String::from("--wsrep-on=ON"),
            String::from("--binlog-format=ROW"),
            String::from("--innodb-autoinc-lock-mode=2"),
            format!("--wsrep-provider={}", library.display()),
            format!("--wsrep-node-name=node{}", n + 1),
            format!("--wsrep-cluster-address=gcomm://{addresses}"),
            format!("--wsrep-node-address=127.0.0.1:{group}"),
            String::from("--wsrep-sst-method=rsync"),
            format!("--wsrep-sst-receive-address=127.0.0.1:{state}"),
            format!(
                "--wsrep-provider-options=base_host=127.0.0.1;base_port={group};\
                 gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{increment};\
                 ist.recv_bind=127.0.0.1:{increment};gcache.size=64M;pc.recovery=false;{provider}"
            ),
        ];
        all.extend(options.iter().map(|option| (*option).to_owned()));
        Node { server: MariaDb::prepare("galera", free_port(), all) }
    })
}
