//! What workers ask and report. Reports are numbered by epoch, token and sequence, claims by their token and heartbeats
//! by their beat, so all of them may be repeated until somebody answers.

use std::time::Duration;

use ffleet_protocol::{
    id::{Incarnation, TaskId, WorkerId},
    log::{LogAnswer, LogBatch},
    task::{AcceptRequest, ClaimAnswer, ClaimRequest, FinishRequest, PublishingRequest, RejectRequest, TaskAnswer},
    worker::{HeartbeatAnswer, HeartbeatRequest, Registered, Registration},
};

use super::{Api, ApiError, call::Call};

impl Api {
    /// Tells what this worker has.
    pub async fn register(&self, id: &WorkerId, registration: &Registration) -> Result<Registered, ApiError> {
        self.ask(Call::put(format!("/v1/workers/{id}")).json(registration)?).await
    }

    /// Renews the leases it lists, and no others.
    pub async fn heartbeat(&self, id: &WorkerId, request: &HeartbeatRequest) -> Result<HeartbeatAnswer, ApiError> {
        self.ask(Call::post(format!("/v1/workers/{id}/heartbeat")).repeatable().json(request)?).await
    }

    /// This start of the worker goes.
    pub async fn leave(&self, id: &WorkerId, incarnation: Incarnation) -> Result<(), ApiError> {
        self.tell(Call::delete(format!("/v1/workers/{id}")).query("incarnation", incarnation)).await
    }

    /// Asks for work and waits for it as long as the request says. Nothing means that there was none.
    pub async fn claim(&self, request: &ClaimRequest) -> Result<Option<ClaimAnswer>, ApiError> {
        let wait = Duration::from_secs(request.wait_s);
        self.ask_maybe(Call::post("/v1/claims").repeatable().wait(wait).json(request)?).await
    }

    /// The task begins.
    pub async fn accept(&self, task: TaskId, request: &AcceptRequest) -> Result<TaskAnswer, ApiError> {
        self.ask(Call::post(format!("/v1/tasks/{task}/accept")).repeatable().json(request)?).await
    }

    /// The task cannot begin here.
    pub async fn reject(&self, task: TaskId, request: &RejectRequest) -> Result<TaskAnswer, ApiError> {
        self.ask(Call::post(format!("/v1/tasks/{task}/reject")).repeatable().json(request)?).await
    }

    /// Appends output.
    pub async fn append(&self, task: TaskId, batch: &LogBatch) -> Result<LogAnswer, ApiError> {
        self.ask(Call::post(format!("/v1/tasks/{task}/logs")).repeatable().json(batch)?).await
    }

    /// The program has ended well; its outputs are about to be put in place.
    pub async fn publishing(&self, task: TaskId, request: &PublishingRequest) -> Result<TaskAnswer, ApiError> {
        self.ask(Call::post(format!("/v1/tasks/{task}/publishing")).repeatable().json(request)?).await
    }

    /// The attempt is over.
    pub async fn finish(&self, task: TaskId, request: &FinishRequest) -> Result<TaskAnswer, ApiError> {
        self.ask(Call::post(format!("/v1/tasks/{task}/finish")).repeatable().json(request)?).await
    }
}
