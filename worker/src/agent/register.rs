//! Registration: at the start, when the coordinators have forgotten this worker, and when what it has has changed.

use std::{sync::Arc, time::Duration};

use ffleet_client::ApiError;
use ffleet_protocol::{
    PROTOCOL_VERSION,
    version::{Meeting, meet},
    worker::{Registered, Registration},
};

use super::{Worker, ears};
use crate::capabilities;

const PAUSE: Duration = Duration::from_secs(2);

/// Registers for the first time: waits for coordinators that do not answer, and gives up when one says no.
pub async fn first(worker: &Arc<Worker>) -> anyhow::Result<Registered> {
    let mut told = false;
    loop {
        match once(worker).await {
            Ok(registered) => return Ok(registered),
            Err(error) if error.problem().is_some_and(|problem| problem.status < 500) => {
                anyhow::bail!("worker {} could not register: {error}", worker.id());
            }
            Err(error) if told => tracing::debug!(%error, "still waiting for a coordinator"),
            Err(error) => {
                told = true;
                tracing::warn!("waiting for a coordinator: {error}");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(worker: &Arc<Worker>) -> Result<Registered, ApiError> {
    let registration = Registration {
        incarnation: worker.incarnation,
        protocol: PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: worker.proven().capabilities.clone(),
        unreported: worker.leases.unreported(),
    };
    let registered = worker.api.with_deadline(Duration::from_secs(5)).register(worker.id(), &registration).await?;
    let update = match meet(PROTOCOL_VERSION, registered.protocol) {
        Meeting::Together => None,
        Meeting::TooOld => Some("bring the coordinators up to date"),
        Meeting::TooNew => Some("bring this worker up to date"),
    };
    if let Some(update) = update {
        let theirs = registered.protocol;
        let what = format!("the coordinator speaks protocol {theirs}, this worker {PROTOCOL_VERSION}; {update}");
        return Err(ApiError::Setup(what));
    }
    worker.set_give_up(registered.give_up_permille);
    worker.fleet.send_replace(registered.state);
    ears::open(worker, registered.account.as_ref());
    Ok(registered)
}

/// Looks again at what this worker has, and registers again when that is news or when somebody asks for it.
pub async fn keep(worker: Arc<Worker>) {
    loop {
        let news = tokio::select! {
            () = tokio::time::sleep(worker.config.prove_every()) => look_again(&worker).await,
            // Leases run while nobody knows this worker, so what was proven before must do.
            () = worker.register_now.notified() => true,
        };
        if !news {
            continue;
        }
        while let Err(error) = once(&worker).await {
            worker.heed(&error);
            tracing::warn!(%error, "could not register again");
            tokio::time::sleep(PAUSE).await;
        }
        tracing::info!("registered again as {}", worker.id());
        worker.beat_now.notify_one();
    }
}

/// Whether what this worker has is not what it had.
async fn look_again(worker: &Worker) -> bool {
    let now = capabilities::prove(&worker.config, &worker.starter, &worker.marks).await;
    let news = now.differs(&worker.proven());
    if news {
        tracing::info!(problems = ?now.capabilities.problems, "what this worker has has changed");
        worker.set_proven(now);
    }
    news
}
