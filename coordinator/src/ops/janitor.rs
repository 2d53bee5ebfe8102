//! An admin wants the chores done now.

use std::collections::BTreeMap;

use super::{Caller, OpError, replayed};
use crate::{app::App, store::StoreError};

/// Runs every chore once; says how much each did.
pub async fn run(app: &App, who: &Caller) -> Result<BTreeMap<String, u64>, OpError> {
    match app.store.commit(who.once()).await {
        Ok(()) => {}
        Err(StoreError::Conflict(_)) => return Err(replayed()),
        Err(error) => return Err(error.into()),
    }
    tracing::info!(account = %who.account, "the janitor was called by {}", who.account);
    crate::janitor::once(app).await
}
