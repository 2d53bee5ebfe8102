//! Jobs, for those who ask for them.

use actix_web::web::{Data, Json};
use ffleet_protocol::{
    id::JobId,
    job::{
        BatchAnswer, BatchRequest, Canceled, ClientHeartbeat, Explanation, JobFilter, JobPage, JobSpec, JobView,
        SignalRequest, Submitted,
    },
};

use super::{
    answer::Made,
    auth::{Body, Large, Requester, Signed},
    error::ApiError,
    params::{self, FromQuery, Id, Query},
};
use crate::{app::App, ops};

impl FromQuery for JobFilter {
    fn from_query(text: &str) -> Result<Self, ApiError> {
        params::fields(text)
    }
}

/// `POST /v1/jobs`
pub async fn submit(app: Data<App>, call: Signed<Requester, Body<JobSpec>>) -> Result<Made<Submitted>, ApiError> {
    let key = call.idempotency_key()?;
    let (who, spec) = call.into_parts();
    let (body, new) = ops::submit::one(&app, &who, spec, key).await?;
    Ok(Made { body, new })
}

/// `POST /v1/jobs:batch`
pub async fn batch(
    app: Data<App>,
    call: Signed<Requester, Large<BatchRequest>>,
) -> Result<Json<BatchAnswer>, ApiError> {
    let (who, jobs) = call.into_parts();
    Ok(Json(ops::submit::batch(&app, &who, jobs).await?))
}

/// `GET /v1/jobs`
pub async fn list(app: Data<App>, who: Signed<Requester>, filter: Query<JobFilter>) -> Result<Json<JobPage>, ApiError> {
    Ok(Json(ops::jobs::list(&app, &who, filter.get()?).await?))
}

/// `GET /v1/jobs/{id}`
pub async fn show(app: Data<App>, who: Signed<Requester>, id: Id<JobId>) -> Result<Json<JobView>, ApiError> {
    Ok(Json(ops::jobs::show(&app, &who, id.get()?).await?))
}

/// `POST /v1/jobs/{id}/cancel`
pub async fn cancel(app: Data<App>, who: Signed<Requester>, id: Id<JobId>) -> Result<Json<Canceled>, ApiError> {
    Ok(Json(ops::cancel::cancel(&app, &who, id.get()?).await?))
}

/// `POST /v1/jobs/{id}/retry`
pub async fn retry(app: Data<App>, who: Signed<Requester>, id: Id<JobId>) -> Result<Made<Submitted>, ApiError> {
    let key = who.idempotency_key()?;
    let (body, new) = ops::retry::retry(&app, &who, id.get()?, key).await?;
    Ok(Made { body, new })
}

/// `POST /v1/jobs/{id}/signal`
pub async fn signal(
    app: Data<App>,
    call: Signed<Requester, Body<SignalRequest>>,
    id: Id<JobId>,
) -> Result<Json<Canceled>, ApiError> {
    let (who, request) = call.into_parts();
    Ok(Json(ops::signal::signal(&app, &who, id.get()?, request).await?))
}

/// `POST /v1/jobs/{id}/heartbeat`
pub async fn heartbeat(
    app: Data<App>,
    call: Signed<Requester, Body<ClientHeartbeat>>,
    id: Id<JobId>,
) -> Result<Json<Canceled>, ApiError> {
    let (who, beat) = call.into_parts();
    Ok(Json(ops::monitor::beat(&app, &who, id.get()?, beat).await?))
}

/// `GET /v1/jobs/{id}/explain`
pub async fn explain(app: Data<App>, who: Signed<Requester>, id: Id<JobId>) -> Result<Json<Explanation>, ApiError> {
    Ok(Json(ops::explain::explain(&app, &who, id.get()?).await?))
}
