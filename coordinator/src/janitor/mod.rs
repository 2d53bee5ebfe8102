//! The janitor lets time act. A chore asks the store what is due and calls the same operations that a request would; each
//! is bounded, may run on every coordinator at once, and goes on while there is more than one batch to do.

mod chores;
mod patience;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{app::App, ops::OpError};
pub use chores::Chore;
pub use patience::Patience;

/// Writer time that housekeeping may take before it lets others go first.
const BREATH: Duration = Duration::from_millis(5);
/// Batches of one chore in one round; a backlog beyond that waits for the next round.
const BATCHES: u32 = 200;

/// Runs every chore in its time until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut due: BTreeMap<&'static str, Instant> = BTreeMap::new();
    let sweep = Duration::from_secs(app.config.timing.sweep_s.max(1));
    while !stop.is_cancelled() {
        app.patience.heard(app.store.probe().await.is_ok(), Instant::now());
        for chore in Chore::ALL {
            let now = Instant::now();
            if due.get(chore.name()).is_some_and(|at| *at > now) || stop.is_cancelled() {
                continue;
            }
            due.insert(chore.name(), now + chore.every(sweep));
            if chore.ends_leases() && !app.patience.is_over(now) {
                continue;
            }
            if let Err(error) = all_batches(&app, *chore).await {
                tracing::warn!(chore = chore.name(), %error, "a chore of the janitor failed; it comes round again");
            }
        }
        app.janitor_was_here();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(jittered(sweep.min(Duration::from_secs(1)))) => {}
        }
    }
}

/// Runs every chore once, now; says how much each did. Those that end leases are left out until everybody could have
/// spoken, whoever asks.
pub async fn once(app: &App) -> Result<BTreeMap<String, u64>, OpError> {
    let mut done = BTreeMap::new();
    let too_early = !app.patience.is_over(Instant::now());
    for chore in Chore::ALL.iter().filter(|chore| !(chore.ends_leases() && too_early)) {
        done.insert(chore.name().to_owned(), all_batches(app, *chore).await?);
    }
    Ok(done)
}

async fn all_batches(app: &App, chore: Chore) -> Result<u64, OpError> {
    let mut all = 0;
    for _ in 0..BATCHES {
        let began = Instant::now();
        let batch = chore.once(app).await?;
        // A long round is no outage: this process is at work.
        app.patience.heard(true, Instant::now());
        app.janitor_was_here();
        all += batch.done;
        if !batch.full {
            break;
        }
        // Whoever waits for the writer goes first.
        tokio::time::sleep(began.elapsed().min(BREATH)).await;
    }
    Ok(all)
}

/// Between three quarters of a time and a quarter more: several coordinators do not sweep in step.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.75..1.25))
}
