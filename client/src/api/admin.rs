//! What admins ask, and what everybody may ask about workers.

use std::collections::BTreeMap;

use ffleet_protocol::{
    account::{AccountList, AccountView, IssuedKey, NewAccount, RotateRequest, Scope},
    id::{AccountId, WorkerId},
    worker::{WorkerList, WorkerView},
};

use super::{Api, ApiError, call::Call};

/// The answer to `POST /v1/janitor`.
#[derive(serde::Deserialize)]
struct Chores {
    chores: BTreeMap<String, u64>,
}

impl Api {
    /// Every worker.
    pub async fn workers(&self) -> Result<WorkerList, ApiError> {
        self.ask(Call::get("/v1/workers")).await
    }

    /// One worker.
    pub async fn worker(&self, id: &WorkerId) -> Result<WorkerView, ApiError> {
        self.ask(Call::get(format!("/v1/workers/{id}"))).await
    }

    /// The worker shall finish what runs and leave.
    pub async fn drain(&self, id: &WorkerId) -> Result<WorkerView, ApiError> {
        self.ask(Call::post(format!("/v1/workers/{id}/drain")).repeatable()).await
    }

    /// The worker shall take no new work.
    pub async fn pause(&self, id: &WorkerId) -> Result<WorkerView, ApiError> {
        self.ask(Call::post(format!("/v1/workers/{id}/pause")).repeatable()).await
    }

    /// The worker shall take work again.
    pub async fn resume(&self, id: &WorkerId) -> Result<WorkerView, ApiError> {
        self.ask(Call::post(format!("/v1/workers/{id}/resume")).repeatable()).await
    }

    /// Every account.
    pub async fn accounts(&self) -> Result<AccountList, ApiError> {
        self.ask(Call::get("/v1/accounts")).await
    }

    /// One account.
    pub async fn account(&self, id: &AccountId) -> Result<AccountView, ApiError> {
        self.ask(Call::get(format!("/v1/accounts/{id}"))).await
    }

    /// Makes an account and its first key. Sent once: a repetition would find the name taken.
    pub async fn add_account(&self, account: &NewAccount) -> Result<IssuedKey, ApiError> {
        self.ask(Call::post("/v1/accounts").json(account)?).await
    }

    /// Makes a second key. Sent once: a repetition would end the first key at once.
    pub async fn rotate_key(&self, id: &AccountId, request: &RotateRequest) -> Result<IssuedKey, ApiError> {
        self.ask(Call::post(format!("/v1/accounts/{id}/rotate")).json(request)?).await
    }

    /// Replaces what an account may do beyond its role.
    pub async fn set_scope(&self, id: &AccountId, scope: &Scope) -> Result<AccountView, ApiError> {
        self.ask(Call::put(format!("/v1/accounts/{id}/scope")).json(scope)?).await
    }

    /// Lets an account work again.
    pub async fn enable_account(&self, id: &AccountId) -> Result<AccountView, ApiError> {
        self.ask(Call::post(format!("/v1/accounts/{id}/enable")).repeatable()).await
    }

    /// Stops an account without forgetting it.
    pub async fn disable_account(&self, id: &AccountId) -> Result<AccountView, ApiError> {
        self.ask(Call::post(format!("/v1/accounts/{id}/disable")).repeatable()).await
    }

    /// Forgets an account and its keys.
    pub async fn remove_account(&self, id: &AccountId) -> Result<(), ApiError> {
        self.tell(Call::delete(format!("/v1/accounts/{id}"))).await
    }

    /// Runs every chore once; says how much each of them did.
    pub async fn janitor(&self) -> Result<BTreeMap<String, u64>, ApiError> {
        let answer: Chores = self.ask(Call::post("/v1/janitor").repeatable()).await?;
        Ok(answer.chores)
    }
}
