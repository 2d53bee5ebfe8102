//! Accounts and housekeeping, for admins.

use std::collections::BTreeMap;

use actix_web::web::{Data, Json};
use ffleet_protocol::{
    account::{AccountList, AccountView, IssuedKey, NewAccount, RotateRequest, Scope},
    id::AccountId,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Done, Made},
    auth::{Admin, Body, Signed},
    error::ApiError,
    params::Id,
};
use crate::{app::App, ops};

/// What every chore of the janitor did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Chores {
    /// How many things it dealt with, by chore.
    chores: BTreeMap<String, u64>,
}

/// `GET /v1/accounts`
pub async fn list(app: Data<App>, who: Signed<Admin>) -> Result<Json<AccountList>, ApiError> {
    Ok(Json(ops::accounts::list(&app, &who).await?))
}

/// `POST /v1/accounts`
pub async fn add(app: Data<App>, call: Signed<Admin, Body<NewAccount>>) -> Result<Made<IssuedKey>, ApiError> {
    let (who, account) = call.into_parts();
    Ok(Made { body: ops::accounts::add(&app, &who, account).await?, new: true })
}

/// `GET /v1/accounts/{id}`
pub async fn show(app: Data<App>, who: Signed<Admin>, id: Id<AccountId>) -> Result<Json<AccountView>, ApiError> {
    Ok(Json(ops::accounts::show(&app, &who, &id.get()?).await?))
}

/// `DELETE /v1/accounts/{id}`
pub async fn remove(app: Data<App>, who: Signed<Admin>, id: Id<AccountId>) -> Result<Json<Done>, ApiError> {
    ops::accounts::remove(&app, &who, &id.get()?).await?;
    Ok(Json(Done {}))
}

/// `PUT /v1/accounts/{id}/scope`
pub async fn scope(
    app: Data<App>,
    call: Signed<Admin, Body<Scope>>,
    id: Id<AccountId>,
) -> Result<Json<AccountView>, ApiError> {
    let (who, scope) = call.into_parts();
    Ok(Json(ops::accounts::scope(&app, &who, &id.get()?, scope).await?))
}

/// `POST /v1/accounts/{id}/rotate`
pub async fn rotate(
    app: Data<App>,
    call: Signed<Admin, Body<RotateRequest>>,
    id: Id<AccountId>,
) -> Result<Json<IssuedKey>, ApiError> {
    let (who, request) = call.into_parts();
    Ok(Json(ops::accounts::rotate(&app, &who, &id.get()?, &request).await?))
}

/// `POST /v1/accounts/{id}/enable`
pub async fn enable(app: Data<App>, who: Signed<Admin>, id: Id<AccountId>) -> Result<Json<AccountView>, ApiError> {
    Ok(Json(ops::accounts::enable(&app, &who, &id.get()?).await?))
}

/// `POST /v1/accounts/{id}/disable`
pub async fn disable(app: Data<App>, who: Signed<Admin>, id: Id<AccountId>) -> Result<Json<AccountView>, ApiError> {
    Ok(Json(ops::accounts::disable(&app, &who, &id.get()?).await?))
}

/// `POST /v1/janitor`
pub async fn janitor(app: Data<App>, who: Signed<Admin>) -> Result<Json<Chores>, ApiError> {
    Ok(Json(Chores { chores: ops::janitor::run(&app, &who).await? }))
}
