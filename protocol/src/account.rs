//! Accounts: who signs requests, and what admins are told about them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    id::{AccountId, KeyId},
    state::Role,
};

/// `POST /v1/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its name.
    pub id: AccountId,
    /// What it may do.
    pub role: Role,
    /// The rest.
    #[serde(default)]
    pub scope: Scope,
}

/// What an account may do beyond its role; `PUT /v1/accounts/{id}/scope` replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Networks it may come from, such as `10.0.0.0/8`; none means anywhere.
    pub networks: BTreeSet<String>,
    /// Reads everybody's jobs.
    pub sees_all: bool,
    /// May name files outside path variables.
    pub raw_paths: bool,
    /// Its share when several requesters wait: 2 gets two turns for another's one. 1 to 1,000.
    pub weight: u32,
}

impl Default for Scope {
    fn default() -> Self {
        Self { networks: BTreeSet::new(), sees_all: false, raw_paths: false, weight: 1 }
    }
}

/// A key that was just made. Its secret is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuedKey {
    /// The account.
    pub account: AccountId,
    /// The `keyid` of its signatures.
    pub key_id: KeyId,
    /// 32 bytes in base64.
    pub secret: String,
}

/// An account as admins see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    /// Its name.
    pub id: AccountId,
    /// What it may do.
    pub role: Role,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// The rest, as far as this version knows it.
    #[serde(deserialize_with = "crate::tolerant::field")]
    pub scope: Scope,
    /// Its live keys, at most two.
    pub keys: Vec<KeyView>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// The `keyid` of its signatures.
    pub key_id: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working: set when a newer key replaced it.
    pub expires_at: Option<Timestamp>,
}

/// `GET /v1/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountList {
    /// By name.
    pub accounts: Vec<AccountView>,
}

/// `POST /v1/accounts/{id}/rotate`: makes a second key; the first one goes on for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// How long the older key still works, in seconds; 0 ends it at once.
    #[serde(default = "a_day")]
    pub overlap_s: u64,
}

fn a_day() -> u64 {
    24 * 3600
}
