//! Accounts, their sealed keys, and the mark of the installation's master key.

use ffleet_protocol::{
    Timestamp,
    account::Scope,
    id::{AccountId, KeyId},
    state::Role,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    Store, StoreError,
    change::Change,
    commit::{Commit, Guard},
    convert::{from_json, micros, moment, moment_opt, to_json, word},
    row,
};
use crate::auth::Sealed;

/// An account's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) id: AccountId,
    pub(crate) role: Role,
    pub(crate) enabled: bool,
    pub(crate) scope: Scope,
    pub(crate) created_at: Timestamp,
    pub(crate) version: i64,
}

/// A key's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRow {
    pub(crate) key_id: KeyId,
    pub(crate) account: AccountId,
    pub(crate) sealed: Vec<u8>,
    pub(crate) master_key_id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
}

impl AccountRow {
    fn read(row: &row::account::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: word(&row.id)?,
            role: word(&row.role)?,
            enabled: row.enabled != 0,
            scope: from_json(&row.id, &row.scope)?,
            created_at: moment(row.created_at)?,
            version: row.version,
        })
    }
}

impl KeyRow {
    fn read(row: row::account_key::Model) -> Result<Self, StoreError> {
        Ok(Self {
            key_id: word(&row.key_id)?,
            account: word(&row.account_id)?,
            sealed: row.sealed,
            master_key_id: row.master_key_id,
            created_at: moment(row.created_at)?,
            expires_at: moment_opt(row.expires_at)?,
        })
    }

    fn model(&self) -> row::account_key::Model {
        row::account_key::Model {
            key_id: self.key_id.as_str().to_owned(),
            account_id: self.account.as_str().to_owned(),
            sealed: self.sealed.clone(),
            master_key_id: self.master_key_id.clone(),
            created_at: micros(self.created_at),
            expires_at: self.expires_at.map(micros),
        }
    }

    /// Whether it works at `now`, or may be in use still.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}

impl Store {
    /// An account and its keys, oldest first.
    pub(crate) async fn account(&self, id: &AccountId) -> Result<Option<(AccountRow, Vec<KeyRow>)>, StoreError> {
        let Some(found) = row::account::Entity::find_by_id(id.as_str().to_owned()).one(self.reader()).await? else {
            return Ok(None);
        };
        let keys = row::account_key::Entity::find()
            .filter(row::account_key::Column::AccountId.eq(id.as_str()))
            .order_by_asc(row::account_key::Column::CreatedAt)
            .order_by_asc(row::account_key::Column::KeyId)
            .all(self.reader())
            .await?;
        let keys: Result<_, _> = keys.into_iter().map(KeyRow::read).collect();
        Ok(Some((AccountRow::read(&found)?, keys?)))
    }

    /// Every account by name, each with its keys, oldest first.
    pub(crate) async fn accounts(&self) -> Result<Vec<(AccountRow, Vec<KeyRow>)>, StoreError> {
        let found = row::account::Entity::find().order_by_asc(row::account::Column::Id).all(self.reader()).await?;
        let keys = row::account_key::Entity::find()
            .order_by_asc(row::account_key::Column::CreatedAt)
            .order_by_asc(row::account_key::Column::KeyId)
            .all(self.reader())
            .await?;
        let mut of = std::collections::HashMap::<AccountId, Vec<KeyRow>>::new();
        for key in keys.into_iter().map(KeyRow::read) {
            let key = key?;
            of.entry(key.account.clone()).or_default().push(key);
        }
        found
            .into_iter()
            .map(|row| {
                let account = AccountRow::read(&row)?;
                let keys = of.remove(&account.id).unwrap_or_default();
                Ok((account, keys))
            })
            .collect()
    }

    /// A key and the account it belongs to.
    pub(crate) async fn key(&self, key_id: &KeyId) -> Result<Option<(AccountRow, KeyRow)>, StoreError> {
        use row::{account, account_key};
        let key = account_key::Entity::find_by_id(key_id.as_str().to_owned()).one(self.reader()).await?;
        // Not by the key's row: both statements run for keys that there are not as well, and take as long.
        let owner = Query::select()
            .column(account_key::Column::AccountId)
            .from(account_key::Entity)
            .and_where(Expr::col(account_key::Column::KeyId).eq(key_id.as_str()))
            .to_owned();
        let account = account::Entity::find().filter(account::Column::Id.in_subquery(owner)).one(self.reader()).await?;
        // Made or removed between the two reads: then there is no such key yet, or no more.
        let (Some(key), Some(account)) = (key, account) else { return Ok(None) };
        Ok(Some((AccountRow::read(&account)?, KeyRow::read(key)?)))
    }

    /// Keys that are sealed with another master key than this.
    pub(crate) async fn keys_sealed_otherwise(
        &self,
        master_key_id: &str,
    ) -> Result<Vec<(AccountRow, KeyRow)>, StoreError> {
        let all = self.accounts().await?.into_iter();
        let pairs = all.flat_map(|(account, keys)| keys.into_iter().map(move |key| (account.clone(), key)));
        Ok(pairs.filter(|(_, key)| key.master_key_id != master_key_id).collect())
    }

    /// Replaces what is kept of a secret, if nobody has in between.
    pub(crate) async fn rewrap_key(&self, key: &KeyRow, fresh: Sealed) -> Result<(), StoreError> {
        use row::account_key::Column as C;
        let change = Change::of("account_keys", C::KeyId, key.key_id.as_str())
            .and(C::MasterKeyId, key.master_key_id.as_str())
            .set(C::Sealed, fresh.bytes)
            .set(C::MasterKeyId, fresh.master_key_id);
        self.commit(Commit { changes: vec![change], ..Commit::default() }).await
    }

    /// The mark of the installation's master key.
    pub(crate) async fn installation(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let found = row::installation::Entity::find_by_id(1).one(self.reader()).await?;
        Ok(found.map(|row| row.fingerprint))
    }

    /// Writes the mark of the first start. Fails if there is one.
    pub(crate) async fn begin_installation(&self, fingerprint: Vec<u8>) -> Result<(), StoreError> {
        let created_at = micros(self.now().await?);
        let mut commit = Commit::default();
        commit.rows.installations.push(row::installation::Model { id: 1, fingerprint, created_at });
        self.commit(commit).await
    }

    /// Exchanges the mark, if it is still the one that was read.
    pub(crate) async fn replace_installation(&self, seen: Vec<u8>, fingerprint: Vec<u8>) -> Result<(), StoreError> {
        use row::installation::Column as C;
        let change = Change::of("installation", C::Id, 1).and(C::Fingerprint, seen).set(C::Fingerprint, fingerprint);
        self.commit(Commit { changes: vec![change], ..Commit::default() }).await
    }
}

/// A new account with its first key.
pub(crate) fn add(account: &AccountRow, key: &KeyRow) -> Commit {
    let mut commit = Commit { guards: vec![Guard::FreshAccount(account.id.clone())], ..Commit::default() };
    commit.rows.accounts.push(row::account::Model {
        id: account.id.as_str().to_owned(),
        role: account.role.as_str().to_owned(),
        enabled: i64::from(account.enabled),
        scope: to_json(&account.scope),
        created_at: micros(account.created_at),
        version: 1,
    });
    commit.rows.keys.push(key.model());
    commit
}

/// Writes what may change of an account, if it is still the one that was read.
pub(crate) fn update(account: &AccountRow) -> Commit {
    use row::account::Column as C;
    let change = Change::of("accounts", C::Id, account.id.as_str())
        .next(account.version)
        .set(C::Enabled, i64::from(account.enabled))
        .set(C::Scope, to_json(&account.scope));
    let guards = vec![Guard::Account(account.id.clone(), account.version)];
    Commit { guards, changes: vec![change], ..Commit::default() }
}

/// Removes an account with its keys, if it is still the one that was read.
pub(crate) fn remove(account: &AccountRow) -> Commit {
    let keys = Query::delete()
        .from_table(row::account_key::Entity)
        .and_where(Expr::col(row::account_key::Column::AccountId).eq(account.id.as_str()))
        .to_owned();
    let row = Query::delete()
        .from_table(row::account::Entity)
        .and_where(Expr::col(row::account::Column::Id).eq(account.id.as_str()))
        .to_owned();
    let guards = vec![Guard::Account(account.id.clone(), account.version)];
    Commit { guards, deletes: vec![keys, row], ..Commit::default() }
}

/// Adds to a commit that guards the account: a new key.
pub(crate) fn add_key(commit: &mut Commit, key: &KeyRow) {
    commit.rows.keys.push(key.model());
}

/// Adds to a commit that guards the account: a key that ends, at a moment or, without one, now and for good.
pub(crate) fn end_key(commit: &mut Commit, key_id: &KeyId, at: Option<Timestamp>) {
    use row::account_key::Column as C;
    match at {
        Some(at) => {
            commit.changes.push(Change::of("account_keys", C::KeyId, key_id.as_str()).set(C::ExpiresAt, micros(at)));
        }
        None => commit.deletes.push(
            Query::delete()
                .from_table(row::account_key::Entity)
                .and_where(Expr::col(C::KeyId).eq(key_id.as_str()))
                .to_owned(),
        ),
    }
}
