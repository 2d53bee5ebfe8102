//! One look at the fleet.

use actix_web::web::{Data, Json};
use ffleet_protocol::overview::{Overview, OverviewQuery};

use super::{
    auth::{Requester, Signed},
    error::ApiError,
    params::{self, FromQuery, Query},
};
use crate::{app::App, ops};

impl FromQuery for OverviewQuery {
    fn from_query(text: &str) -> Result<Self, ApiError> {
        params::fields(text)
    }
}

/// `GET /v1/overview`
pub async fn show(
    app: Data<App>,
    who: Signed<Requester>,
    query: Query<OverviewQuery>,
) -> Result<Json<Overview>, ApiError> {
    Ok(Json(ops::overview::overview(&app, &who, &query.get()?).await?))
}
