//! The HTTP side: every route on one page ([`routes`]), handlers that translate and do nothing else, all words for callers
//! on one page ([`error`]).
//!
//! A request's way: [`trace`] gives it its id; the handler's [`auth::Signed`] argument verifies the signature, checks the
//! role and only then reads the body; the handler calls one operation; whatever went wrong becomes a problem in [`trace`],
//! the only place that writes one.

mod accounts;
mod answer;
pub mod auth;
mod body;
mod claims;
mod closing;
mod describe;
pub mod error;
mod events;
mod front;
mod health;
mod jobs;
mod logs;
mod metrics;
mod openapi;
mod overview;
mod page;
mod params;
pub mod routes;
mod tasks;
mod trace;
mod unread;
mod verify;
mod watch;
mod workers;

use std::{net::TcpListener, sync::Arc, thread, time::Duration};

use actix_web::{HttpServer, dev::Server, middleware::from_fn, web};

pub use openapi::openapi;

use crate::{app::App, config::Certificate};

/// How long the head of a connection's first request may take to arrive; later ones are bounded by [`closing`].
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection stays open: longer than clients keep theirs, so that they close first and never send into
/// a connection that is just going away.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// For how long a connection that is to be closed is still read, as fast as data comes: not at all. Who sent a body that
/// nobody read has been waited for already, within bounds ([`unread`]).
const DISCONNECT_TIMEOUT: Duration = Duration::ZERO;

/// So often a renewed certificate is looked for.
const RENEWED: Duration = Duration::from_secs(10);

/// Looks for a renewed certificate as long as this process lives. Both files are read each time: they are small, and times of
/// files lie.
async fn keep_renewed(certificate: Arc<Certificate>) {
    let mut trouble = None;
    loop {
        tokio::time::sleep(RENEWED).await;
        let looking = certificate.clone();
        let found = tokio::task::spawn_blocking(move || looking.renew().map_err(|error| error.to_string())).await;
        match found {
            Ok(Ok(true)) => tracing::info!("the certificate was renewed"),
            Ok(Ok(false)) => {}
            // Said once, and again when it is another one.
            Ok(Err(error)) if trouble.as_ref() != Some(&error) => {
                tracing::error!("the certificate cannot be renewed; the one before is still shown: {error}");
                trouble = Some(error);
                continue;
            }
            Ok(Err(_)) => continue,
            Err(error) => tracing::error!(%error, "looking for a renewed certificate went wrong"),
        }
        trouble = None;
    }
}

/// Serves every route on `listener`, with TLS if a certificate is configured, until the returned server is stopped.
///
/// Signals are the caller's business. Must be called within a Tokio runtime.
pub fn server(app: web::Data<App>, listener: TcpListener) -> std::io::Result<Server> {
    let front = web::Data::new(front::Front::new(&app.config, listener.local_addr()?));
    let document = web::Data::new(health::Document::new());
    let shutdown_s = app.config.timing.shutdown_s;
    let readers = app.config.master_key.readers();
    let certificate = app.config.tls.as_ref().map(|tls| tls.certificate(readers)).transpose();
    let certificate = certificate.map_err(std::io::Error::other)?.map(Arc::new);
    let tls = certificate.as_ref().map(Certificate::server_config).transpose().map_err(std::io::Error::other)?;
    if let Some(certificate) = certificate {
        tokio::spawn(keep_renewed(certificate));
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(app.clone())
            .app_data(front.clone())
            .app_data(document.clone())
            .wrap(from_fn(trace::trace))
            .configure(routes::install)
    })
    .on_connect(|connection, extensions| {
        front::remember_local_address(connection, extensions);
        closing::watch(extensions);
    })
    .workers(cores)
    .tcp_nodelay(true)
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
    .shutdown_timeout(shutdown_s)
    .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}
