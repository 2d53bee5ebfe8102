//! Telling whoever waits that nobody answers.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// So long nobody wonders.
const UNNOTICED: Duration = Duration::from_secs(2);

/// Whom to tell, once.
#[derive(Clone)]
pub(super) struct Silence {
    unnoticed: Duration,
    told: Arc<AtomicBool>,
    tell: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl Silence {
    pub(super) fn new(tell: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self { unnoticed: UNNOTICED, told: Arc::default(), tell: Arc::new(tell) }
    }

    /// Waits for an answer that may take `wait` and is asked for during `deadline`.
    pub(super) async fn during<T>(&self, asking: impl Future<Output = T>, wait: Duration, deadline: Duration) -> T {
        let mut asking = pin!(asking);
        if deadline > self.unnoticed {
            tokio::select! {
                answer = &mut asking => return answer,
                () = tokio::time::sleep(wait + self.unnoticed) => {}
            }
            if !self.told.swap(true, Ordering::Relaxed) {
                (self.tell)(deadline);
            }
        }
        asking.await
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn silence_is_told_once() {
        let (tell, mut told) = mpsc::unbounded_channel();
        let silence = Silence { unnoticed: Duration::ZERO, ..Silence::new(move |left| tell.send(left).unwrap()) };
        // Its answer is there only once silence was told.
        assert_eq!(silence.during(told.recv(), Duration::ZERO, DEADLINE).await, Some(DEADLINE));
        silence.clone().during(tokio::task::yield_now(), Duration::ZERO, DEADLINE).await;
        assert!(told.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_single_try_is_not_asked_again() {
        let silence = Silence { unnoticed: Duration::ZERO, ..Silence::new(|_| panic!("nothing is asked again")) };
        silence.during(tokio::task::yield_now(), Duration::ZERO, Duration::ZERO).await;
    }
}
