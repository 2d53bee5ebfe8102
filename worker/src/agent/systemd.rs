//! sd_notify(3): systemd is told when the worker works, when it leaves, and all the while that it lives. Without systemd there
//! is nobody to tell.

use sd_notify::NotifyState;

/// Tells it once.
pub(super) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told how it goes");
    }
}

/// Says that all is well, as often as systemd wants to hear it, for ever: also while what runs is awaited.
pub(super) async fn keep_informed() {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    loop {
        tell(&[NotifyState::Watchdog]);
        tokio::time::sleep(within / 3).await;
    }
}
