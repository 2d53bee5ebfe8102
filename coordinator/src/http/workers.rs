//! Workers: what they tell of themselves, and what others see and ask of them.

use actix_web::web::{Data, Json};
use ffleet_protocol::{
    id::{Incarnation, WorkerId},
    worker::{HeartbeatAnswer, HeartbeatRequest, Registered, Registration, WorkerList, WorkerView},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    answer::Done,
    auth::{Admin, Agent, Anyone, Body, Signed},
    error::ApiError,
    params::{self, FromQuery, Id, Query},
};
use crate::{app::App, ops};

/// Which start of the worker leaves.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Leaving {
    /// Its incarnation; an older one than the registered changes nothing.
    incarnation: Incarnation,
}

impl FromQuery for Leaving {
    fn from_query(text: &str) -> Result<Self, ApiError> {
        params::fields(text)
    }
}

/// `PUT /v1/workers/{id}`
pub async fn register(
    app: Data<App>,
    call: Signed<Agent, Body<Registration>>,
    id: Id<WorkerId>,
) -> Result<Json<Registered>, ApiError> {
    let (who, registration) = call.into_parts();
    Ok(Json(ops::workers::register(&app, &who, id.get()?, registration).await?))
}

/// `POST /v1/workers/{id}/heartbeat`
pub async fn heartbeat(
    app: Data<App>,
    call: Signed<Agent, Body<HeartbeatRequest>>,
    id: Id<WorkerId>,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    let (who, request) = call.into_parts();
    Ok(Json(ops::workers::heartbeat(&app, &who, id.get()?, request).await?))
}

/// `DELETE /v1/workers/{id}`
pub async fn leave(
    app: Data<App>,
    who: Signed<Agent>,
    id: Id<WorkerId>,
    leaving: Query<Leaving>,
) -> Result<Json<Done>, ApiError> {
    ops::workers::leave(&app, &who, id.get()?, leaving.get()?.incarnation).await?;
    Ok(Json(Done {}))
}

/// `GET /v1/workers`
pub async fn list(app: Data<App>, who: Signed<Anyone>) -> Result<Json<WorkerList>, ApiError> {
    Ok(Json(ops::workers::list(&app, &who).await?))
}

/// `GET /v1/workers/{id}`
pub async fn show(app: Data<App>, who: Signed<Anyone>, id: Id<WorkerId>) -> Result<Json<WorkerView>, ApiError> {
    Ok(Json(ops::workers::show(&app, &who, id.get()?).await?))
}

/// `POST /v1/workers/{id}/drain`
pub async fn drain(app: Data<App>, who: Signed<Admin>, id: Id<WorkerId>) -> Result<Json<WorkerView>, ApiError> {
    Ok(Json(ops::workers::drain(&app, &who, id.get()?).await?))
}

/// `POST /v1/workers/{id}/pause`
pub async fn pause(app: Data<App>, who: Signed<Admin>, id: Id<WorkerId>) -> Result<Json<WorkerView>, ApiError> {
    Ok(Json(ops::workers::pause(&app, &who, id.get()?).await?))
}

/// `POST /v1/workers/{id}/resume`
pub async fn resume(app: Data<App>, who: Signed<Admin>, id: Id<WorkerId>) -> Result<Json<WorkerView>, ApiError> {
    Ok(Json(ops::workers::resume(&app, &who, id.get()?).await?))
}
