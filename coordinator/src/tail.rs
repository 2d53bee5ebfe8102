//! What other coordinators did, heard by looking: transitions are rows that everybody can read.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ffleet_protocol::{id::JobId, topic::Topic};
use jiff::SignedDuration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::App,
    store::{StoreError, Writers, events::Elsewhere},
};

/// Rows of one look; more than that and everybody is woken instead.
const ROWS: u64 = 1_000;
/// A transition is stamped when it is decided and seen when it is committed. One that takes longer costs a poll.
const LATE: SignedDuration = SignedDuration::from_millis(750);

/// Rings this coordinator's bells for what others did, until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let every = Duration::from_millis(app.config.timing.tail_ms);
    let mut heard: HashSet<Uuid> = HashSet::new();
    let mut said: HashMap<JobId, i64> = HashMap::new();
    // So long from look to look, however long one takes: what happens right after one is heard by the next.
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        let looked = async {
            heard = ring(&app, look(&app).await?, &heard);
            said = listen(&app, &said).await?;
            Ok::<_, StoreError>(())
        };
        if let Err(error) = looked.await {
            tracing::warn!(%error, "what other coordinators did cannot be read");
        }
    }
}

/// Output is no transition: where others may take it, whoever follows a job here hears of it by the versions of its output.
async fn listen(app: &App, before: &HashMap<JobId, i64>) -> Result<HashMap<JobId, i64>, StoreError> {
    if app.store.writers() == Writers::One {
        return Ok(HashMap::new());
    }
    let said = app.store.said(&app.bells.jobs_listened_to()).await?;
    for (job, version) in &said {
        if before.get(job).is_some_and(|before| before != version) {
            app.bells.ring(&Topic::Job(*job));
        }
    }
    Ok(said)
}

async fn look(app: &App) -> Result<Vec<Elsewhere>, StoreError> {
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
