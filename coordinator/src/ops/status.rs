//! The whole at a glance.

use std::collections::BTreeMap;

use ffleet_protocol::worker::FleetStatus;
use jiff::SignedDuration;

use super::{Caller, OpError};
use crate::app::App;

/// Counts of what the caller may see: live jobs, those that ended within 24 hours, workers, slots.
pub async fn status(app: &App, who: &Caller) -> Result<FleetStatus, OpError> {
    let day_ago = app.store.now().await?.saturating_sub(SignedDuration::from_hours(24));
    let day_ago = day_ago.unwrap_or(ffleet_protocol::Timestamp::MIN);
    let jobs = app.store.counts(who.only(), day_ago).await?;
    let all = app.store.workers().await?;
    let mut workers: BTreeMap<String, u64> = BTreeMap::new();
    for worker in &all {
        *workers.entry(worker.standing.state.as_str().to_owned()).or_default() += 1;
    }
    let slots = all
        .iter()
        .filter(|worker| worker.standing.takes_work())
        .map(|worker| u64::from(worker.capabilities.slots))
        .sum();
    let busy = app.store.busy().await?.values().map(|n| u64::from(*n)).sum();
    Ok(FleetStatus { jobs, workers, slots, busy, version: env!("CARGO_PKG_VERSION").to_owned() })
}
