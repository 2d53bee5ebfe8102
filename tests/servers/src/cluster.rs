//! Three nodes of RabbitMQ, on one machine.

use std::{panic::resume_unwind, sync::Arc, thread};

use crate::{
    process::{Failed, start_anew},
    rabbitmq::{Names, RabbitMq},
};

/// Three nodes that are one broker.
pub struct RabbitCluster {
    nodes: [RabbitMq; 3],
}

impl RabbitCluster {
    /// Starts a cluster.
    #[must_use]
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts a cluster whose nodes have further lines of `rabbitmq.conf`.
    #[must_use]
    pub fn with(config: &str) -> Self {
        start_anew(|| {
            let names = Arc::new(Names::start()?);
            // All others join the first one, and so nobody founds another cluster.
            let config = format!(
                "cluster_formation.peer_discovery_backend = classic_config\n\
                 cluster_formation.classic_config.nodes.1 = r1@localhost\n{config}"
            );
            let cluster = Self { nodes: ["r1", "r2", "r3"].map(|name| RabbitMq::prepare(&names, name, &config)) };
            let [first, others @ ..] = &cluster.nodes;
            first.begin()?;
            for node in others {
                node.begin()?;
            }
            Ok(cluster)
        })
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RabbitMq; 3] {
        &self.nodes
    }

    /// Starts all nodes that have ended, with what they have. When all had ended they wait for each other, so
    /// [`RabbitMq::restart`] cannot do this.
    pub fn restart_all(&self) {
        thread::scope(|scope| {
            let ended = self.nodes.iter().filter(|node| !node.is_alive());
            let starting: Vec<_> = ended.map(|node| scope.spawn(|| node.begin())).collect();
            for start in starting {
                start.join().unwrap_or_else(|panic| resume_unwind(panic)).unwrap_or_else(Failed::panic);
            }
        });
    }
}
