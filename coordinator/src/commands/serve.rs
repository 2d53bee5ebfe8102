//! `ffleet-coordinator serve`

use actix_web::web::Data;
use ffleet_coordinator::{run, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, configured};
use crate::cli::Settings;

/// Serves until it is told to stop.
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    let config = configured(settings)?;
    telemetry::init(&config.log)?;
    // Before anything is opened: this is a fault of the configuration, and is reported as one.
    config.files().map_err(|error| Failure::Wrong(error.to_string()))?;
    let shutdown = watch_signals()?;
    let app = Box::pin(run::open(config)).await?;
    let listener = run::bind(&app.config.listen)?;
    Box::pin(run::run(Data::new(app), listener, async move { shutdown.cancelled().await })).await?;
    Ok(())
}

/// The first SIGTERM or SIGINT asks to stop; a second one, of either kind, does not ask.
fn watch_signals() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let asked = CancellationToken::new();
    let told = asked.clone();
    tokio::spawn(async move {
        loop {
            let code = tokio::select! {
                Some(()) = interrupt.recv() => 130,
                Some(()) = terminate.recv() => 143,
                else => return,
            };
            if told.is_cancelled() {
                std::process::exit(code);
            }
            told.cancel();
        }
    });
    Ok(asked)
}
