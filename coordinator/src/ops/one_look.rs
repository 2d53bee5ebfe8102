//! One look at the database for all who want to know the same: however many ask, it is not asked more often.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::store::StoreError;

/// For so long an answer serves.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer; nothing in it when there was none. Then nobody else tries for a moment: they would wait in vain as well,
/// one after the other.
#[derive(Debug)]
pub(crate) struct OneLook<T>(Mutex<Option<(Instant, Option<Arc<T>>)>>);

impl<T> Default for OneLook<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> OneLook<T> {
    /// What a look has shown, as of a moment ago; `look` if that was longer ago.
    pub(crate) async fn get(&self, look: impl Future<Output = Result<T, StoreError>>) -> Result<Arc<T>, StoreError> {
        let mut last = self.0.lock().await;
        if let Some((at, found)) = &*last
            && at.elapsed() < FRESH
        {
            let failed = || StoreError::Unavailable("it could not be read a moment ago".to_owned());
            return found.clone().ok_or_else(failed);
        }
        let found = look.await.map(Arc::new);
        *last = Some((Instant::now(), found.as_ref().ok().cloned()));
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_are_one_look_and_share_its_failure() {
        for fails in [false, true] {
            let (one, looks) = (OneLook::default(), AtomicU32::new(0));
            let look = || async {
                looks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                if fails { Err(StoreError::Unavailable("gone".to_owned())) } else { Ok(7) }
            };
            let answers = join_all((0..50).map(|_| one.get(look()))).await;
            assert_eq!(looks.load(Ordering::Relaxed), 1);
            assert!(answers.iter().all(|answer| answer.is_err() == fails));
        }
    }
}
