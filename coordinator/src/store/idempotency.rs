//! Idempotency keys: what an earlier request with the same key made.

use ffleet_protocol::id::{AccountId, JobId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Store, StoreError, commit::Commit, commit::Guard, row};

/// What an idempotency key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) job: JobId,
    pub(crate) body_hash: Vec<u8>,
    pub(crate) nonce: Option<String>,
}

impl Store {
    /// What this key was used for by this account.
    pub(crate) async fn idempotency(&self, who: &AccountId, key: &str) -> Result<Option<Used>, StoreError> {
        let found =
            row::idempotency::Entity::find_by_id((who.as_str().to_owned(), key.to_owned())).one(self.reader()).await?;
        Ok(found.map(|row| Used { job: JobId(row.job_id), body_hash: row.body_hash, nonce: row.nonce }))
    }

    /// The same for many keys at once.
    pub(crate) async fn idempotency_of(
        &self,
        who: &AccountId,
        keys: &[String],
    ) -> Result<std::collections::HashMap<String, Used>, StoreError> {
        use row::idempotency::Column as C;
        let found = row::idempotency::Entity::find()
            .filter(C::AccountId.eq(who.as_str()))
            .filter(C::IdempotencyKey.is_in(keys.iter().map(String::as_str)))
            .all(self.reader())
            .await?;
        Ok(found
            .into_iter()
            .map(|row| {
                (row.idempotency_key, Used { job: JobId(row.job_id), body_hash: row.body_hash, nonce: row.nonce })
            })
            .collect())
    }
}

/// Adds an idempotency key that must be fresh.
pub(crate) fn remember(commit: &mut Commit, who: &AccountId, key: &str, used: &Used, now: i64) {
    commit.guards.push(Guard::FreshIdempotency(who.clone(), key.to_owned()));
    commit.rows.idempotency.push(row::idempotency::Model {
        account_id: who.as_str().to_owned(),
        idempotency_key: key.to_owned(),
        body_hash: used.body_hash.clone(),
        job_id: used.job.0,
        nonce: used.nonce.clone(),
        created_at: now,
    });
}
