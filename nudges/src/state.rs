//! How a broker stands.

use std::sync::{Mutex, PoisonError};

use ffleet_protocol::Timestamp;

/// How nudges travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// AMQP 0-9-1.
    Amqp,
    /// MQTT 3.1.1.
    Mqtt,
}

impl Transport {
    /// Its word in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Mqtt => "mqtt",
        }
    }
}

/// One broker, for people and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Which kind.
    pub transport: Transport,
    /// Whether it answers.
    pub connected: bool,
    /// Since when it does, or does not.
    pub since: Timestamp,
    /// Why it does not.
    pub trouble: Option<String>,
    /// Nudges that did not get through.
    pub dropped: u64,
}

#[derive(Debug)]
pub(crate) struct Condition {
    transport: Transport,
    now: Mutex<(bool, Timestamp, Option<String>)>,
}

impl Condition {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, now: Mutex::new((false, Timestamp::now(), None)) }
    }

    /// It answers. Said once in the log.
    pub(crate) fn connected(&self, place: &str) {
        let before = self.set(true, None);
        if !before.0 {
            tracing::info!(transport = self.transport.as_str(), place, "nudges travel over {place}");
        }
    }

    /// It does not, for this reason.
    pub(crate) fn lost(&self, place: &str, why: &str) {
        let before = self.set(false, Some(why.to_owned()));
        if before.0 || before.2.as_deref() != Some(why) {
            tracing::warn!(
                transport = self.transport.as_str(),
                place,
                "{place} carries no nudges: {why}; everybody looks by themselves meanwhile"
            );
        }
    }

    fn set(&self, connected: bool, trouble: Option<String>) -> (bool, Timestamp, Option<String>) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let before = now.clone();
        let since = if before.0 == connected { before.1 } else { Timestamp::now() };
        *now = (connected, since, trouble);
        before
    }

    pub(crate) fn state(&self, dropped: u64) -> State {
        let (connected, since, trouble) = self.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        State { transport: self.transport, connected, since, trouble, dropped }
    }
}
