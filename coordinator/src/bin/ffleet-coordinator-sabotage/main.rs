//! A coordinator with faults built in on purpose, for the negative controls of the fault run: see the library's
//! `sabotage`. It serves and does nothing else.

use actix_web::web::Data;
use ffleet_coordinator::{config::Config, run, telemetry};
use ffleet_settings::Overrides;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::load(None, &Overrides::none())?.value;
    telemetry::init(&config.log)?;
    let app = Box::pin(run::open(config)).await?;
    let listener = run::bind(&app.config.listen)?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let shutdown = async move {
        terminate.recv().await;
    };
    Box::pin(run::run(Data::new(app), listener, shutdown)).await
}
