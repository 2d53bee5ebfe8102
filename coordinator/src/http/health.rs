//! What machines ask: whether we live, whether we are ready, and what there is to call. Answered to those nearby only.

use std::{
    collections::BTreeMap,
    future::{self, Ready},
    time::Duration,
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    dev::Payload,
    web::{Data, Json},
};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    describe::{Describe, Sketch},
    error::ApiError,
    front::Front,
    openapi::openapi,
};
use crate::{app::App, store::advice};

/// How long the database may take to say that it can be written.
const PATIENCE: Duration = Duration::from_secs(3);

/// Somebody nearby. To everybody else these paths do not exist.
#[derive(Debug)]
pub struct Machine;

impl FromRequest for Machine {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let near = request.app_data::<Data<Front>>().is_some_and(|front| {
            front.caller_address(request).is_some_and(|address| front.serves_machines_at(address))
        });
        future::ready(if near { Ok(Self) } else { Err(ApiError::NotFound(request.path().to_owned())) })
    }
}

/// `GET /health/live`
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// Always `ok`.
    status: &'static str,
}

/// `GET /health/ready`
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether requests may be sent here.
    ready: bool,
    /// Each thing it depends on: `ok`, or what is wrong with it.
    checks: BTreeMap<&'static str, String>,
    /// What works, and endangers a promise or costs time; empty when nothing does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Readiness {
    fn of(checks: [(&'static str, Result<(), String>); 3], warnings: Vec<String>) -> Self {
        let ready = checks.iter().all(|(_, check)| check.is_ok());
        let words = |check: Result<(), String>| check.err().unwrap_or_else(|| "ok".to_owned());
        Self { ready, checks: checks.map(|(name, check)| (name, words(check))).into(), warnings }
    }
}

impl Responder for Readiness {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        if self.ready { HttpResponse::Ok().json(self) } else { HttpResponse::ServiceUnavailable().json(self) }
    }
}

impl Describe for Readiness {
    fn describe(sketch: &mut Sketch) {
        sketch.json::<Self>("200", "Requests may be sent here.");
        sketch.json::<Self>("503", "It leaves, its janitor has died, or its database cannot be written.");
    }
}

/// The description of the API, written once.
#[derive(Debug, Clone)]
pub struct Document(Bytes);

impl Document {
    /// Writes it.
    pub fn new() -> Self {
        Self(openapi().to_json().unwrap_or_default().into())
    }
}

impl Responder for Document {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type("application/json").body(self.0)
    }
}

impl Describe for Document {
    fn describe(sketch: &mut Sketch) {
        sketch.text("200", "An OpenAPI document.", "application/json");
    }
}

/// `GET /health/live`
pub async fn live(_: Machine) -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// `GET /health/ready`
pub async fn ready(app: Data<App>, _: Machine) -> Readiness {
    let no = |good: bool, words: &str| if good { Ok(()) } else { Err(words.to_owned()) };
    let database = match tokio::time::timeout(PATIENCE, app.store.probe()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!("not ready: {error}");
            Err(because("it cannot be written", Some(error.to_string())))
        }
        Err(_) => Err(because(&format!("no answer within {} s", PATIENCE.as_secs()), app.store.trouble())),
    };
    let checks = [
        ("serving", no(!app.leaving.is_cancelled(), "leaving")),
        ("janitor", no(app.janitor_alive(), "it has stopped")),
        ("database", database),
    ];
    Readiness::of(checks, warnings(&app))
}

/// With the cause, if it is known, and what to do, if that is.
fn because(what: &str, cause: Option<String>) -> String {
    let advice = cause.as_deref().and_then(advice);
    [Some(what.to_owned()), cause, advice].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What somebody should look at although requests may be sent here.
fn warnings(app: &App) -> Vec<String> {
    let settings = app.store.findings().iter().map(|finding| format!("{}; {}", finding.what, finding.fix));
    let brokers = app.brokers.get().map(|brokers| brokers.states()).unwrap_or_default();
    let silent = brokers.into_iter().filter(|state| !state.connected).map(|state| {
        let why = state.trouble.unwrap_or_else(|| "not connected yet".to_owned());
        format!("{} carries no nudges since {}: {why}", state.transport.as_str(), state.since)
    });
    settings.chain(silent).collect()
}

/// `GET /openapi.json`
pub async fn document(document: Data<Document>, _: Machine) -> Document {
    Document::clone(&document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_comes_with_what_to_do() {
        assert_eq!(because("no answer", None), "no answer");
        assert_eq!(because("no answer", Some("it is full".to_owned())), "no answer; it is full");
        let galera = because("no answer", Some("1047 (08S01): WSREP has not yet prepared node".to_owned()));
        assert!(galera.contains("WSREP has not yet") && galera.contains("has no quorum"), "{galera}");
    }

    #[test]
    fn one_failed_check_is_enough() {
        let all = Readiness::of([("a", Ok(())), ("b", Ok(())), ("c", Ok(()))], Vec::new());
        assert!(all.ready);
        let two = Readiness::of([("a", Ok(())), ("b", Err("gone".to_owned())), ("c", Ok(()))], Vec::new());
        assert!(!two.ready);
        assert_eq!(serde_json::to_string(&two).unwrap(), r#"{"ready":false,"checks":{"a":"ok","b":"gone","c":"ok"}}"#);
    }
}
