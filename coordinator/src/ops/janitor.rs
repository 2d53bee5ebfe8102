//! An admin wants the chores done now.

use std::collections::BTreeMap;

use super::{Caller, OpError};
use crate::app::App;

/// Runs every chore once; says how much each did.
pub async fn run(app: &App, who: &Caller) -> Result<BTreeMap<String, u64>, OpError> {
    tracing::info!(account = %who.account, "the janitor was called by {}", who.account);
    crate::janitor::once(app).await
}
