//! Ways to stop a child, from polite to final.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::Control;

/// How much time each step of a stop is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// After typing `q`; for programs that know it.
    pub quit: Option<Duration>,
    /// After SIGTERM; then SIGKILL follows.
    pub terminate: Duration,
}

/// Stops a child and its tree, step by step, and returns when it has ended. Dropped halfway it takes no further step.
pub async fn stop(child: &Control, manner: Manner) {
    if let Some(patience) = manner.quit {
        child.quit();
        if tokio::time::timeout(patience, child.ended()).await.is_ok() {
            return;
        }
    }
    child.signal(Signal::SIGTERM);
    if tokio::time::timeout(manner.terminate, child.ended()).await.is_ok() {
        return;
    }
    child.kill();
    child.ended().await;
}
