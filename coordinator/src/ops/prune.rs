//! A log that is over its limit gives up its middle, while the task runs.

use ffleet_protocol::id::TaskId;

use super::OpError;
use crate::{
    app::App,
    domain::logcap::{ChunkKey, Prune, prune, thin},
    store::{
        StoreError,
        commit::Commit,
        logs::{delete_chunk, freed, replace_chunk},
    },
};

/// Chunks that are rewritten in one commit.
const AT_ONCE: usize = 64;

/// Prunes if what was kept before this append was over the limit. Losing a race leaves it to the next append.
pub(super) async fn if_needed(app: &App, task: TaskId, kept_bytes: i64) -> Result<(), OpError> {
    let cap = app.config.limits.log_cap_bytes;
    if u64::try_from(kept_bytes).unwrap_or(0) <= cap {
        return Ok(());
    }
    // Thinning comes first and may be enough; then deletions. Two rounds of each bound the work of one append.
    for _ in 0..4 {
        let Some(output) = app.store.output(task).await? else { return Ok(()) };
        let mut commit = Commit::default();
        let bytes = match prune(&app.store.chunks(task).await?, cap) {
            Prune::Nothing => return Ok(()),
            Prune::Thin(keys) => thinned(app, task, &keys, &mut commit).await?,
            Prune::Delete(keys) => deleted(app, task, &keys, &mut commit).await?,
        };
        freed(&mut commit, &output, bytes);
        match app.store.commit(commit).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn thinned(app: &App, task: TaskId, keys: &[ChunkKey], commit: &mut Commit) -> Result<i64, OpError> {
    let mut bytes = 0;
    for key in keys.iter().take(AT_ONCE) {
        let Some(stored) = app.store.chunk_records(task, *key).await? else { continue };
        let left = thin(stored.records.clone());
        bytes += replace_chunk(commit, task, *key, &stored, &left);
    }
    Ok(bytes)
}

async fn deleted(app: &App, task: TaskId, keys: &[ChunkKey], commit: &mut Commit) -> Result<i64, OpError> {
    let sizes: std::collections::HashMap<ChunkKey, u64> =
        app.store.chunks(task).await?.into_iter().map(|chunk| (chunk.key(), chunk.bytes)).collect();
    let mut bytes = 0;
    for key in keys {
        bytes += i64::try_from(sizes.get(key).copied().unwrap_or(0)).unwrap_or(0);
        delete_chunk(commit, task, *key);
    }
    Ok(bytes)
}
