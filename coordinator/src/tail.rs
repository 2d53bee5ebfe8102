//! What other coordinators did, heard by looking: transitions are rows that everybody can read.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ffleet_protocol::{id::JobId, topic::Topic};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{app::App, store::events::Elsewhere};

const EVERY: Duration = Duration::from_millis(250);
/// Rows of one look; more than that and everybody is woken instead.
const ROWS: u64 = 1_000;
/// A transition is stamped when it is decided and seen when it is committed. One that takes longer costs a poll.
const LATE: SignedDuration = SignedDuration::from_millis(750);

/// Rings this coordinator's bells for what others did, until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut heard: HashSet<Uuid> = HashSet::new();
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => break,
        }
        match look(&app).await {
            Ok(events) => heard = ring(&app, events, &heard),
            Err(error) => tracing::warn!(%error, "what other coordinators did cannot be read"),
        }
    }
}

async fn look(app: &App) -> Result<Vec<Elsewhere>, crate::store::StoreError> {
    let since = app.store.now().await?.saturating_sub(LATE).unwrap_or(ffleet_protocol::Timestamp::MIN);
    app.store.elsewhere(since, ROWS).await
}

/// Rings what was not heard before; says what has been heard now.
fn ring(app: &App, events: Vec<Elsewhere>, heard: &HashSet<Uuid>) -> HashSet<Uuid> {
    if events.len() as u64 >= ROWS {
        app.bells.ring_everybody();
    }
    for event in events.iter().filter(|event| !heard.contains(&event.id)) {
        app.bells.ring(&Topic::Job(JobId(event.job_id)));
        if let Some(worker) = event.worker_id.as_deref().and_then(|id| id.parse().ok()) {
            app.bells.ring(&Topic::Worker(worker));
        }
        if event.to_state == "pending" {
            app.bells.ring(&Topic::Queue(event.need_id));
        }
    }
    events.into_iter().map(|event| event.id).collect()
}
