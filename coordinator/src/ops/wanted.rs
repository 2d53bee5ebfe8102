//! Which needs are wanted now: one look for all claims that wait. However many workers wait for something that nobody has
//! asked for, the database is not asked more often.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::store::{Store, StoreError};

/// For so long an answer serves.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer.
#[derive(Debug, Default)]
pub(crate) struct Wanted(Mutex<Option<(Instant, Arc<HashSet<i64>>)>>);

impl Wanted {
    /// The needs of tasks that can be claimed, as of a moment ago.
    pub(crate) async fn get(&self, store: &Store) -> Result<Arc<HashSet<i64>>, StoreError> {
        let mut last = self.0.lock().await;
        if let Some((at, wanted)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(wanted.clone());
        }
        let wanted = Arc::new(store.wanted().await?);
        *last = Some((Instant::now(), wanted.clone()));
        Ok(wanted)
    }
}
