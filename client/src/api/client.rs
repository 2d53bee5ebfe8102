//! What clients ask.

use std::time::Duration;

use ffleet_protocol::{
    id::{EventId, JobId},
    job::{
        BatchAnswer, BatchRequest, Canceled, ClientHeartbeat, Explanation, JobFilter, JobPage, JobSpec, JobView,
        SignalRequest, Submitted,
    },
    limits,
    log::Cursor,
    overview::{Overview, OverviewQuery},
    state::SignalKind,
    topic::{Topic, WatchAnswer},
    worker::FleetStatus,
};
use reqwest::header::HeaderName;

use super::{
    Api, ApiError,
    call::Call,
    stream::{self, EventStream, RecordStream},
};

impl Api {
    /// Submits a job. Repeating it with the same key and the same job gives the first answer.
    pub async fn submit(&self, spec: &JobSpec, idempotency_key: &str) -> Result<Submitted, ApiError> {
        self.ask(Call::post("/v1/jobs").key(idempotency_key).json(spec)?).await
    }

    /// Submits many jobs, all or none. Each carries its own idempotency key, so a repetition is harmless.
    pub async fn batch(&self, batch: &BatchRequest) -> Result<BatchAnswer, ApiError> {
        self.ask(Call::post("/v1/jobs:batch").repeatable().json(batch)?).await
    }

    /// One page of jobs, the newest first.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, ApiError> {
        self.ask(Call::get("/v1/jobs").filter(filter)?).await
    }

    /// Everything about a job.
    pub async fn job(&self, id: JobId) -> Result<JobView, ApiError> {
        self.ask(Call::get(format!("/v1/jobs/{id}"))).await
    }

    /// Asks for a job to be stopped; asking twice is the same as asking once.
    pub async fn cancel(&self, id: JobId) -> Result<Canceled, ApiError> {
        self.ask(Call::post(format!("/v1/jobs/{id}/cancel")).repeatable()).await
    }

    /// Submits an ended job again, as a new job. With a key a repetition gives the first answer; without one it is
    /// sent once.
    pub async fn retry(&self, id: JobId, idempotency_key: Option<&str>) -> Result<Submitted, ApiError> {
        let call = Call::post(format!("/v1/jobs/{id}/retry"));
        self.ask(match idempotency_key {
            Some(key) => call.key(key),
            None => call,
        })
        .await
    }

    /// Asks the running program to stop in its own way. Sent once: a repetition would be a second signal.
    pub async fn signal(&self, id: JobId, signal: SignalKind) -> Result<Canceled, ApiError> {
        self.ask(Call::post(format!("/v1/jobs/{id}/signal")).json(&SignalRequest { signal })?).await
    }

    /// Tells that the client of a monitored job is still there.
    pub async fn client_heartbeat(&self, id: JobId, beat: &ClientHeartbeat) -> Result<Canceled, ApiError> {
        self.ask(Call::post(format!("/v1/jobs/{id}/heartbeat")).repeatable().json(beat)?).await
    }

    /// The output of a job from where `after` points. With `follow` the stream goes on until the job has ended.
    pub async fn logs(&self, id: JobId, after: Option<&Cursor>, follow: bool) -> Result<RecordStream, ApiError> {
        let mut call = Call::get(format!("/v1/jobs/{id}/logs")).stream();
        if let Some(after) = after {
            call = call.query("after", after);
        }
        if follow {
            call = call.query("follow", true);
        }
        stream::records(self.tried(&call).await?)
    }

    /// Why a job does not run yet.
    pub async fn explain(&self, id: JobId) -> Result<Explanation, ApiError> {
        self.ask(Call::get(format!("/v1/jobs/{id}/explain"))).await
    }

    /// Transitions as they happen, from after `last` on. They are told at least once.
    pub async fn events(&self, last: Option<EventId>) -> Result<EventStream, ApiError> {
        let mut call = Call::get("/v1/events").stream();
        if let Some(last) = last {
            call = call.header(HeaderName::from_static("last-event-id"), last.to_string());
        }
        stream::events(self.tried(&call).await?)
    }

    /// Waits until something may have happened about one of `topics` since the cursor of an earlier answer.
    pub async fn watch(&self, topics: &[Topic], since: Option<&str>) -> Result<WatchAnswer, ApiError> {
        let mut call = Call::get("/v1/watch").wait(Duration::from_secs(limits::LONG_POLL_S));
        for topic in topics {
            call = call.query("topic", topic);
        }
        if let Some(since) = since {
            call = call.query("since", since);
        }
        self.ask(call).await
    }

    /// One look at what runs, what comes next and what has just ended.
    pub async fn overview(&self, query: &OverviewQuery) -> Result<Overview, ApiError> {
        self.ask(Call::get("/v1/overview").filter(query)?).await
    }

    /// The whole at a glance.
    pub async fn status(&self) -> Result<FleetStatus, ApiError> {
        self.ask(Call::get("/v1/status")).await
    }
}
