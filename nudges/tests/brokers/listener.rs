//! Somebody who rings and hears.

use std::time::Duration;

use ffleet_nudges::{Brokers, Interest, Notify, Nudge, Readers};
use ffleet_protocol::topic::Topic;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

/// How long anything is waited for before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who is connected to brokers, and what they were told.
pub(crate) struct Listener {
    pub(crate) brokers: Brokers,
    heard: UnboundedReceiver<Topic>,
}

impl Listener {
    pub(crate) fn start(config: &Notify, interest: &Interest) -> Self {
        let (tell, heard) = unbounded_channel();
        let hear = move |topic: &Topic| drop(tell.send(topic.clone()));
        let brokers = Brokers::start(config, Readers::OwnerOnly, "test", interest, hear).unwrap();
        Self { brokers, heard }
    }

    pub(crate) async fn connected(self) -> Self {
        let connected = async {
            while !self.brokers.any_answers() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, connected).await.unwrap();
        self
    }

    pub(crate) async fn hears(&mut self) -> Topic {
        timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap()
    }

    /// Rings until the other hears: while a broker comes back, rings are lost.
    pub(crate) async fn until_heard(&self, nudge: &Nudge, other: &mut Self) {
        let heard = async {
            loop {
                self.brokers.ring(nudge);
                if let Ok(Some(topic)) = timeout(Duration::from_millis(200), other.heard.recv()).await
                    && topic == nudge.topic()
                {
                    return;
                }
            }
        };
        timeout(PATIENCE, heard).await.unwrap();
    }

    /// Why it is not connected, once it says so in these words.
    pub(crate) async fn trouble(&self, words: &str) -> String {
        let mut last = None;
        let told = async {
            loop {
                last = self.brokers.states()[0].trouble.clone();
                if let Some(trouble) = last.as_ref().filter(|trouble| trouble.contains(words)) {
                    return trouble.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        match timeout(PATIENCE, told).await {
            Ok(trouble) => trouble,
            Err(_) => panic!("no word of {words:?}; the trouble is {last:?}"),
        }
    }
}
