//! The table of contents: everything that the coordinator answers to, by who calls.
//!
//! An entry names the path, the handler, what it is for and the refusals that come on top of those its types bring. Who may
//! call stands in the handler's own signature.

use actix_web::web::ServiceConfig;
use ffleet_protocol::problem::Code::{self, *};

use super::{accounts, claims, events, health, jobs, logs, metrics, overview, page::Page, tasks, watch, workers};

/// What may be wrong with a job.
const SPEC: [Code; 12] = [
    BadField,
    UnknownProgram,
    TooManyArguments,
    ArgumentTooLong,
    NulByte,
    BadTemplate,
    UnknownVariable,
    PathOutside,
    PathLeaves,
    StdinNotSupported,
    NoSuchDependency,
    TooManyNeeds,
];
/// What may be wrong with a worker's report.
const REPORT: [Code; 4] = [StaleLease, WrongState, Superseded, NotRegistered];

/// Every route.
#[must_use]
pub fn page() -> Page {
    let mut page = Page::default();
    for_clients(&mut page);
    for_everybody(&mut page);
    for_workers(&mut page);
    for_admins(&mut page);
    for_machines(&mut page);
    page
}

/// Serves every route.
pub fn install(config: &mut ServiceConfig) {
    page().install(config);
}

fn for_clients(page: &mut Page) {
    page.group("clients", "Submit, follow and steer one's own jobs; admins everybody's.");
    let submit = [&SPEC[..], &[IdempotencyMismatch, Replayed]].concat();
    page.post("/v1/jobs", jobs::submit, "Submits a job.", &submit);
    page.post("/v1/jobs:batch", jobs::batch, "Submits up to 1,000 jobs, all or none.", &submit);
    page.get("/v1/jobs", jobs::list, "Lists jobs, the newest first.", &[BadField, BadCursor]);
    page.get("/v1/jobs/{id}", jobs::show, "Everything about a job.", &[]);
    page.post("/v1/jobs/{id}/cancel", jobs::cancel, "Stops a job; asking twice changes nothing.", &[TooLate, Replayed]);
    let retry = [NotEnded, IdempotencyMismatch, Replayed];
    page.post("/v1/jobs/{id}/retry", jobs::retry, "Submits an ended job again, as a new job.", &retry);
    page.post(
        "/v1/jobs/{id}/signal",
        jobs::signal,
        "Asks the running program to stop its way.",
        &[WrongState, Replayed],
    );
    page.post(
        "/v1/jobs/{id}/heartbeat",
        jobs::heartbeat,
        "The client of a monitored job is there.",
        &[NotMonitored, Replayed],
    );
    page.get("/v1/jobs/{id}/logs", logs::follow, "The output of a job, from a cursor on.", &[BadCursor]);
    page.get("/v1/jobs/{id}/explain", jobs::explain, "Why a job does not run yet.", &[]);
    page.get("/v1/overview", overview::show, "What runs, what comes next and what has just ended.", &[BadField]);
    page.get("/v1/events", events::follow, "Transitions as they happen, told at least once.", &[]);
}

fn for_everybody(page: &mut Page) {
    page.group("everybody", "Any account, within what it may see.");
    page.get(
        "/v1/watch",
        watch::watch,
        "Waits until something may have happened.",
        &[BadCursor, NoSuchJob, NoSuchWorker],
    );
    page.get("/v1/status", watch::status, "The whole at a glance.", &[]);
    page.get("/v1/workers", workers::list, "Every worker.", &[]);
    page.get("/v1/workers/{id}", workers::show, "One worker.", &[]);
}

fn for_workers(page: &mut Page) {
    page.group("workers", "Register, claim tasks and report on them.");
    let enlist = [BadField, WorkerTaken, Superseded, ProtocolVersion, Replayed];
    page.put("/v1/workers/{id}", workers::register, "Tells what a worker has, proven.", &enlist);
    page.delete("/v1/workers/{id}", workers::leave, "A worker leaves.", &[Superseded, Replayed]);
    let beat = [Superseded, NotRegistered];
    page.post("/v1/workers/{id}/heartbeat", workers::heartbeat, "Renews exactly the leases it lists.", &beat);
    page.post(
        "/v1/claims",
        claims::claim,
        "Takes tasks, waiting for them if asked to.",
        &[NoSuchWorker, Superseded, NotRegistered],
    );
    page.post("/v1/tasks/{id}/accept", tasks::accept, "The task begins to run.", &REPORT);
    page.post("/v1/tasks/{id}/reject", tasks::reject, "The task cannot begin here.", &REPORT);
    page.post("/v1/tasks/{id}/logs", logs::append, "Appends numbered output.", &[BadField, StaleLease, LogGap]);
    page.post("/v1/tasks/{id}/publishing", tasks::publishing, "Outputs are about to be put in place.", &REPORT);
    let finish = [&REPORT[..], &[LogGap]].concat();
    page.post("/v1/tasks/{id}/finish", tasks::finish, "The attempt is over.", &finish);
}

fn for_admins(page: &mut Page) {
    page.group("admins", "Workers, accounts and housekeeping.");
    page.post("/v1/workers/{id}/drain", workers::drain, "The worker finishes what runs and leaves.", &[Replayed]);
    page.post("/v1/workers/{id}/pause", workers::pause, "The worker takes no new work.", &[Replayed]);
    page.post("/v1/workers/{id}/resume", workers::resume, "The worker takes work again.", &[Replayed]);
    page.get("/v1/accounts", accounts::list, "Every account.", &[]);
    page.post(
        "/v1/accounts",
        accounts::add,
        "Makes an account and its first key.",
        &[BadField, AccountExists, Replayed],
    );
    page.get("/v1/accounts/{id}", accounts::show, "One account.", &[]);
    page.delete("/v1/accounts/{id}", accounts::remove, "Forgets an account and its keys.", &[LastAdmin, Replayed]);
    page.put(
        "/v1/accounts/{id}/scope",
        accounts::scope,
        "Replaces what it may do beyond its role.",
        &[BadField, Replayed],
    );
    page.post("/v1/accounts/{id}/rotate", accounts::rotate, "Makes a second key.", &[BadField, Replayed]);
    page.post("/v1/accounts/{id}/enable", accounts::enable, "Lets the account work again.", &[Replayed]);
    page.post("/v1/accounts/{id}/disable", accounts::disable, "Stops the account.", &[LastAdmin, Replayed]);
    page.post("/v1/janitor", accounts::janitor, "Runs every chore once.", &[Replayed]);
}

fn for_machines(page: &mut Page) {
    page.group("machines", "Load balancers and monitoring nearby, without a signature.");
    page.probe("/health/live", health::live, "The process answers.", &[]);
    page.probe("/health/ready", health::ready, "Requests may be sent here.", &[]);
    page.get("/metrics", metrics::metrics, "Counters, in the text format of Prometheus.", &[]);
    page.get("/openapi.json", health::document, "This description.", &[]);
}
