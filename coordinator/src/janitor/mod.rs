//! The janitor lets time act. A chore asks the store what is due and calls the same operations that a request would; each
//! is bounded, may run on every coordinator at once, and goes on while there is more than one batch to do.

mod chores;
mod patience;
mod slice;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{app::App, ops::OpError};
use chores::Batch;
pub use chores::Chore;
pub use patience::Patience;
pub(crate) use slice::Slice;

/// Between two batches others go first.
const BREATH: Duration = Duration::from_millis(5);
/// How long one chore goes on in one round; a backlog beyond that waits for the next round, which begins at once.
const ROUND: Duration = Duration::from_secs(2);

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
            match all_batches(&app, *chore).await {
                Ok(Batch { full: true, .. }) => drop(due.remove(chore.name())),
                Ok(Batch { full: false, .. }) => {}
                Err(error) => {
                    tracing::warn!(chore = chore.name(), %error, "a chore of the janitor failed; it comes round again");
                }
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
        done.insert(chore.name().to_owned(), all_batches(app, *chore).await?.done);
    }
    Ok(done)
}

/// Batches until there is nothing more to do or the round is over.
async fn all_batches(app: &App, chore: Chore) -> Result<Batch, OpError> {
    let (mut all, began) = (Batch::default(), Instant::now());
    loop {
        let batch = chore.once(app).await?;
        // A long round is no outage: this process is at work.
        app.patience.heard(true, Instant::now());
        app.janitor_was_here();
        all.done += batch.done;
        all.full = batch.full;
        if !batch.full || began.elapsed() >= ROUND {
            return Ok(all);
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Between three quarters of a time and a quarter more: several coordinators do not sweep in step.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.75..1.25))
}
