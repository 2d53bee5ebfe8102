//! How nudges travel over message brokers. A nudge says "go and look" about a topic and nothing else: losing one costs time,
//! never truth. So nothing here is waited for, nothing is kept for a broker that is away, and whatever is heard is only a
//! reason to look.
//!
//! Coordinators ring and hear everything; workers and clients hear what is theirs. Brokers can tell who may hear what,
//! because topics name them: `queue.7`, `worker.ACCOUNT.NAME`, `job.ACCOUNT.ID` as AMQP's routing keys, the
//! same words after `ffleet/nudges/` and between slashes for MQTT.

mod advice;
mod amqp;
mod config;
mod heard;
mod mqtt;
mod nudge;
mod ringer;
mod state;

use std::{sync::Arc, time::Duration};

use ffleet_protocol::topic::Topic;
use tokio::time::Instant;

pub use config::{Amqp, BadNotify, Mqtt, Notify, Readers};
pub use nudge::{Interest, Nudge};
pub use state::{State, Transport};

use crate::{heard::Heard, ringer::Ringer, state::Condition};

/// Between looks at brokers that somebody waits for.
const LOOK: Duration = Duration::from_millis(20);

/// The brokers that a process is connected to, as far as they answer.
#[derive(Debug, Clone, Default)]
pub struct Brokers(Arc<All>);

#[derive(Debug, Default)]
struct All {
    brokers: Vec<Broker>,
    heard: Option<Arc<Heard>>,
}

#[derive(Debug)]
struct Broker {
    ringer: Ringer,
    condition: Arc<Condition>,
}

impl Brokers {
    /// Begins to connect to what is configured, and goes on as long as this process lives. `name` is what brokers show;
    /// `hear` is told of each topic that somebody else rang.
    ///
    /// # Errors
    /// When a file that is named cannot be used.
    pub fn start(
        config: &Notify,
        readers: Readers,
        name: &str,
        interest: &Interest,
        hear: impl Fn(&Topic) + Send + Sync + 'static,
    ) -> Result<Self, BadNotify> {
        let heard = Arc::new(Heard::new(hear));
        let mut brokers = Vec::new();
        let mut add = |transport| {
            let broker = Broker { ringer: Ringer::default(), condition: Arc::new(Condition::new(transport)) };
            let parts = (broker.ringer.clone(), broker.condition.clone());
            brokers.push(broker);
            parts
        };
        if let Some(amqp) = &config.amqp {
            let places = amqp.places(readers)?;
            let (ringer, condition) = add(Transport::Amqp);
            let session = amqp::Session {
                name: name.to_owned(),
                interest: interest.clone(),
                heard: heard.clone(),
                ringer,
                condition,
            };
            tokio::spawn(amqp::run(places, session));
        }
        if let Some(mqtt) = &config.mqtt {
            let places = mqtt.places(readers)?;
            let (ringer, condition) = add(Transport::Mqtt);
            let session = mqtt::Session {
                name: name.to_owned(),
                interest: interest.clone(),
                heard: heard.clone(),
                ringer,
                condition,
            };
            tokio::spawn(mqtt::run(places, session));
        }
        Ok(Self(Arc::new(All { brokers, heard: Some(heard) })))
    }

    /// Rings, if a broker is there. Never waits.
    pub fn ring(&self, nudge: &Nudge) {
        for broker in &self.0.brokers {
            broker.ringer.ring(nudge.clone());
        }
    }

    /// How each of them stands.
    #[must_use]
    pub fn states(&self) -> Vec<State> {
        self.0.brokers.iter().map(|broker| broker.condition.state(broker.ringer.dropped())).collect()
    }

    /// How each of them stands when all answer, or when this time is over.
    pub async fn states_within(&self, within: Duration) -> Vec<State> {
        let until = Instant::now() + within;
        loop {
            let states = self.states();
            if states.iter().all(|state| state.connected) || Instant::now() >= until {
                return states;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Nudges of others that were heard.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.0.heard.as_ref().map_or(0, |heard| heard.count())
    }

    /// Whether there is one that answers.
    #[must_use]
    pub fn any_answers(&self) -> bool {
        self.states().iter().any(|state| state.connected)
    }
}
