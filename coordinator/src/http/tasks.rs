//! What workers report about the tasks they hold.

use actix_web::web::{Data, Json};
use ffleet_protocol::{
    id::TaskId,
    task::{AcceptRequest, FinishRequest, PublishingRequest, RejectRequest, TaskAnswer},
};

use super::{
    auth::{Agent, Body, Signed},
    error::ApiError,
    params::Id,
};
use crate::{app::App, ops};

/// `POST /v1/tasks/{id}/accept`
pub async fn accept(
    app: Data<App>,
    call: Signed<Agent, Body<AcceptRequest>>,
    id: Id<TaskId>,
) -> Result<Json<TaskAnswer>, ApiError> {
    let (who, report) = call.into_parts();
    Ok(Json(ops::report::accept(&app, &who, id.get()?, report).await?))
}

/// `POST /v1/tasks/{id}/reject`
pub async fn reject(
    app: Data<App>,
    call: Signed<Agent, Body<RejectRequest>>,
    id: Id<TaskId>,
) -> Result<Json<TaskAnswer>, ApiError> {
    let (who, report) = call.into_parts();
    Ok(Json(ops::report::reject(&app, &who, id.get()?, report).await?))
}

/// `POST /v1/tasks/{id}/publishing`
pub async fn publishing(
    app: Data<App>,
    call: Signed<Agent, Body<PublishingRequest>>,
    id: Id<TaskId>,
) -> Result<Json<TaskAnswer>, ApiError> {
    let (who, report) = call.into_parts();
    Ok(Json(ops::report::publishing(&app, &who, id.get()?, report).await?))
}

/// `POST /v1/tasks/{id}/finish`
pub async fn finish(
    app: Data<App>,
    call: Signed<Agent, Body<FinishRequest>>,
    id: Id<TaskId>,
) -> Result<Json<TaskAnswer>, ApiError> {
    let (who, report) = call.into_parts();
    Ok(Json(ops::report::finish(&app, &who, id.get()?, report).await?))
}
