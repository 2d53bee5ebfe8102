//! The life of a coordinator: from its configuration to a clean end.

use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix_web::web::Data;
use anyhow::Context;
use ffleet_nudges::{Brokers, Interest};
use sd_notify::NotifyState;
use socket2::SockRef;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    auth,
    config::{Config, Database},
    http, janitor,
    store::Store,
    tail,
};

/// Opens the database with the configured master key and puts a coordinator together; it does not serve yet.
///
/// # Errors
/// When a key file or the database cannot be used; the message says which and what to do.
pub async fn open(config: Config) -> anyhow::Result<App> {
    let keyring = auth::load(&config.master_key)?;
    writable(&config.database)?;
    let store =
        Store::connect(&config.database, config.master_key.readers()).await.context("cannot open the database")?;
    auth::admit(&store, &keyring).await?;
    Ok(App::new(config, store, keyring))
}

/// SQLite's own words for a folder that cannot be written name neither the folder nor the way out.
///
/// # Errors
/// When no file can be made beside the database; the message says what to do.
pub fn writable(database: &Database) -> anyhow::Result<()> {
    let Some(path) = database.url.strip_prefix("sqlite:") else { return Ok(()) };
    let path = Path::new(path.strip_prefix("//").unwrap_or(path).split('?').next().unwrap_or_default());
    let Some(folder) = path.parent() else { return Ok(()) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let what_to_do = "SQLite keeps further files beside the database; make the folder and let this user write in it, or set \
                      `database.url` to another place";
    let probe = tempfile_in(folder);
    probe.with_context(|| format!("cannot write in the folder {} of the database; {what_to_do}", folder.display()))
}

/// Makes and removes a file: the only honest answer to whether one can be made (access(2) knows neither read-only mounts
/// nor quotas).
fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".ffleet-{:016x}", rand::random::<u64>()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)
}

/// So many connections may wait to be accepted; the system's own limit (`net.core.somaxconn`) may be less. The standard
/// library asks for 128: when a whole fleet comes back at once, those beyond wait seconds for their next try, or are reset.
const WAITING_CONNECTIONS: i32 = 4096;

/// Takes the address that is configured.
///
/// # Errors
/// When it cannot be had; the message says why and what to do.
pub fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(listen).map_err(|error| {
        let what_to_do = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program uses this port; stop it, or set `listen` to another one",
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a right of their own; set `listen` to another one"
            }
            std::io::ErrorKind::AddrNotAvailable => "this machine has no such address; set `listen` to one that it has",
            _ => "check `listen`",
        };
        anyhow::anyhow!("cannot listen on {listen}: {what_to_do} ({error})")
    })?;
    // Asked a second time, the system only changes the number.
    SockRef::from(&listener).listen(WAITING_CONNECTIONS)?;
    // The server polls it; a blocking socket would stop a whole thread.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Begins to ring and to hear what other coordinators ring, as far as brokers are configured.
fn listen_to_brokers(app: &App, address: SocketAddr) -> anyhow::Result<()> {
    let bells = app.bells.clone();
    let name = format!("ffleet-coordinator-{address}");
    let readers = app.config.master_key.readers();
    let hear = move |topic: &_| bells.ring(topic);
    let brokers = Brokers::start(&app.config.notify, readers, &name, &Interest::All, hear)?;
    // It is set once: a coordinator is run once.
    let _ = app.brokers.set(brokers);
    Ok(())
}

/// sd_notify(3). Without systemd there is nobody to tell.
fn tell_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told how it goes");
    }
}

/// Says that all is well, as often as systemd wants to hear it, while it is: a coordinator whose janitor has stopped is
/// started again.
async fn keep_systemd_informed(app: Arc<App>, stop: CancellationToken) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    while !stop.is_cancelled() {
        if app.janitor_alive() {
            tell_systemd(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(within / 3).await;
    }
}

/// Serves until `shutdown` is ready, then leaves in order: not ready any more, long polls are answered; when load balancers
/// had time to see it, no new connections; requests under way end.
///
/// # Errors
/// When a part that must run for ever has ended: a coordinator that limps is worse than one that is started again.
pub async fn run(app: Data<App>, listener: TcpListener, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let scheme = if app.config.tls.is_some() { "https" } else { "http" };
    let server = http::server(app.clone(), listener)?;
    let handle = server.handle();
    let mut serving = tokio::spawn(server);
    listen_to_brokers(&app, address)?;
    app.workers.learn(&app.store).await;
    let stop = CancellationToken::new();
    let mut sweeping = tokio::spawn(janitor::run(app.clone().into_inner(), stop.clone()));
    let mut tailing = tokio::spawn(tail::run(app.clone().into_inner(), stop.clone()));
    tracing::info!(addr = %format!("{scheme}://{address}"), "listening on {scheme}://{address}");
    tell_systemd(&[NotifyState::Ready]);
    tokio::spawn(keep_systemd_informed(app.clone().into_inner(), stop.clone()));

    let ended = tokio::select! {
        () = shutdown => None,
        end = &mut serving => Some(format!("the server has ended by itself: {end:?}")),
        end = &mut sweeping => Some(format!("the janitor has ended by itself: {end:?}")),
        end = &mut tailing => Some(format!("listening to other coordinators has ended by itself: {end:?}")),
    };

    tracing::info!("leaving: no longer ready, letting requests end");
    tell_systemd(&[NotifyState::Stopping]);
    app.leaving.cancel();
    if ended.is_none() {
        tokio::time::sleep(Duration::from_secs(app.config.timing.linger_s)).await;
    }
    // The server bounds it as well, by the same time; this is for a server that hangs.
    let patience = Duration::from_secs(app.config.timing.shutdown_s + 2);
    if tokio::time::timeout(patience, handle.stop(true)).await.is_err() {
        tracing::warn!(after_s = patience.as_secs(), "some requests did not end; leaving them");
        drop(tokio::time::timeout(Duration::from_secs(1), handle.stop(false)).await);
    }
    stop.cancel();
    match ended {
        None => {
            // A chore is one bounded write; waiting for it leaves nothing half known in the log.
            drop(tokio::time::timeout(patience, sweeping).await);
            tracing::info!("stopped");
            Ok(())
        }
        Some(what) => Err(anyhow::anyhow!(what)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_whole_fleet_may_come_at_once() {
        let listener = bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts them; whoever found no room would be left waiting.
        let all: Vec<_> =
            (0..400).map(|_| TcpStream::connect_timeout(&address, Duration::from_secs(10)).unwrap()).collect();
        assert_eq!(all.len(), 400);
    }
}
