//! Workers asking for work.

use actix_web::web::Data;
use ffleet_protocol::task::{ClaimAnswer, ClaimRequest};

use super::{
    answer::Maybe,
    auth::{Agent, Body, Signed},
    error::ApiError,
};
use crate::{app::App, ops};

/// `POST /v1/claims`
pub async fn claim(app: Data<App>, call: Signed<Agent, Body<ClaimRequest>>) -> Result<Maybe<ClaimAnswer>, ApiError> {
    let (who, request) = call.into_parts();
    Ok(Maybe(ops::claim::claim(&app, &who, request).await?))
}
