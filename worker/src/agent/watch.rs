//! Listens on the worker's own topic, so that cancels and signals arrive at once. The heartbeat is the floor. While a broker
//! brings the same, nobody has to wait for it at a coordinator.

use std::{sync::Arc, time::Duration};

use ffleet_protocol::topic::Topic;

use super::Worker;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Listens for ever.
pub async fn run(worker: Arc<Worker>) {
    let topics = [Topic::Worker(worker.id().clone())];
    let api = worker.api.with_deadline(Duration::ZERO);
    let mut cursor: Option<String> = None;
    let mut pause = FIRST_PAUSE;
    loop {
        if worker.ears.hear() {
            worker.ears.deaf().await;
            // Whatever was to be heard in between is asked for.
            cursor = None;
            worker.beat_now.notify_one();
        }
        match api.watch(&topics, cursor.as_deref()).await {
            Ok(answer) => {
                cursor = Some(answer.cursor);
                pause = FIRST_PAUSE;
                if !answer.topics.is_empty() {
                    worker.beat_now.notify_one();
                }
            }
            Err(error) => {
                tracing::debug!(%error, "watching failed; heartbeats go on");
                // The cursor may be what was wrong; without one the next answer comes at once, with a good one.
                cursor = None;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
