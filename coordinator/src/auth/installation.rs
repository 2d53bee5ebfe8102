//! Does this master key belong to this database? And making its rows follow when the key was changed.

use crate::store::{Store, StoreError, transfer};

use super::{Keyring, KeyringError, Recognized, Sealed};

/// Why a coordinator may not work on a database.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// Another master key started this installation.
    #[error(
        "this database was started with another master key than the configured one ({configured}): no account's key could \
         be opened. Point `master_key.file` to the right file; if the key was changed, add the file of the earlier one to \
         `master_key.older`"
    )]
    OtherMasterKey {
        /// Id of the configured one.
        configured: String,
    },
    /// What the database holds is not all of an installation.
    #[error(
        "an import into this database is under way, or was not finished. Wait for it; or begin again with \
         `ffleet-coordinator import --anew FILE`"
    )]
    UnfinishedImport,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks that the master key is the installation's, writes its mark at the first start, and seals anew with the current
/// master key what an earlier one sealed.
///
/// # Errors
/// When the database belongs to another master key, or does not answer.
pub async fn admit(store: &Store, keyring: &Keyring) -> Result<(), InstallationError> {
    let mark = match store.installation().await? {
        Some(mark) => mark,
        None => first_start(store, keyring).await?,
    };
    if transfer::is_unfinished(&mark) {
        return Err(InstallationError::UnfinishedImport);
    }
    match keyring.recognize(&mark) {
        Recognized::Current => {}
        Recognized::Older => {
            store.replace_installation(mark, keyring.fingerprint()).await?;
            tracing::info!(master_key = keyring.current_id(), "the installation follows its new master key");
        }
        Recognized::No => {
            return Err(InstallationError::OtherMasterKey { configured: keyring.current_id().to_owned() });
        }
    }
    rewrap(store, keyring).await?;
    Ok(())
}

/// What the configured master keys are to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Belonging {
    /// No coordinator has served it yet: the first one makes it its own.
    Unused,
    /// The current one is the installation's.
    Current,
    /// An earlier one is; the first coordinator that starts has it follow the current one.
    Older,
    /// None of them is.
    Other,
    /// An import is under way, or was not finished.
    Unfinished,
}

/// The same as [`admit`] finds out, without writing anything. `mark` is what the database holds.
#[must_use]
pub fn belonging(mark: Option<&[u8]>, keyring: &Keyring) -> Belonging {
    match mark {
        None => Belonging::Unused,
        Some(mark) if transfer::is_unfinished(mark) => Belonging::Unfinished,
        Some(mark) => match keyring.recognize(mark) {
            Recognized::Current => Belonging::Current,
            Recognized::Older => Belonging::Older,
            Recognized::No => Belonging::Other,
        },
    }
}

/// Two coordinators may start for the first time together; the database lets one of them write, and both read the same.
async fn first_start(store: &Store, keyring: &Keyring) -> Result<Vec<u8>, StoreError> {
    let ours = keyring.fingerprint();
    match store.begin_installation(ours.clone()).await {
        Ok(()) => Ok(ours),
        Err(error) => store.installation().await?.ok_or(error),
    }
}

/// Seals with the current master key what earlier ones sealed, so that these can be thrown away one day.
async fn rewrap(store: &Store, keyring: &Keyring) -> Result<u64, StoreError> {
    let mut done = 0;
    for (account, key) in store.keys_sealed_otherwise(keyring.current_id()).await? {
        let sealed = Sealed { master_key_id: key.master_key_id.clone(), bytes: key.sealed.clone() };
        match again(keyring, &key.key_id, account.role, &sealed) {
            Ok(fresh) => {
                store.rewrap_key(&key, fresh).await?;
                done += 1;
            }
            // One lost key must not keep all others from working; its owner gets a new one.
            Err(error) => tracing::error!(key = %key.key_id, account = %account.id, %error, "a key cannot be used"),
        }
    }
    if done > 0 {
        tracing::info!(keys = done, master_key = keyring.current_id(), "sealed keys anew with the current master key");
    }
    Ok(done)
}

fn again(
    keyring: &Keyring,
    key_id: &ffleet_protocol::id::KeyId,
    role: ffleet_protocol::state::Role,
    sealed: &Sealed,
) -> Result<Sealed, KeyringError> {
    keyring.seal(key_id, role, &keyring.open(key_id, role, sealed)?)
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::{
        Timestamp,
        account::Scope,
        id::{AccountId, KeyId},
        sign::Secret,
        state::Role,
    };

    use super::*;
    use crate::{
        auth::AccountCache,
        store::accounts::{AccountRow, KeyRow, add},
    };

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/ffleet.db", folder.path().display())).await.unwrap();
        (folder, store)
    }

    fn ring(current: u8, older: &[u8]) -> Keyring {
        Keyring::new([current; 32].into(), older.iter().map(|byte| [*byte; 32].into()))
    }

    #[tokio::test]
    async fn another_master_key_is_refused_with_what_to_do() {
        let (_folder, store) = store().await;
        admit(&store, &ring(1, &[])).await.unwrap();
        admit(&store, &ring(1, &[])).await.unwrap();
        let refused = admit(&store, &ring(2, &[3])).await.unwrap_err().to_string();
        assert!(refused.contains("master_key.file") && refused.contains("master_key.older"), "{refused}");
    }

    #[tokio::test]
    async fn rows_follow_a_new_master_key() {
        let (_folder, store) = store().await;
        let (old, new) = (ring(1, &[]), ring(2, &[1]));
        admit(&store, &old).await.unwrap();
        let key_id = KeyId::new("alice.1").unwrap();
        let secret = Secret::from_bytes(vec![9; 32]);
        let sealed = old.seal(&key_id, Role::Client, &secret).unwrap();
        let now = Timestamp::from_second(1_000).unwrap();
        let account = AccountRow {
            id: AccountId::new("alice").unwrap(),
            role: Role::Client,
            enabled: true,
            scope: Scope::default(),
            created_at: now,
            version: 0,
        };
        let key = KeyRow {
            key_id: key_id.clone(),
            account: account.id.clone(),
            sealed: sealed.bytes,
            master_key_id: sealed.master_key_id,
            created_at: now,
            expires_at: None,
        };
        store.commit(add(&account, &key)).await.unwrap();

        admit(&store, &new).await.unwrap();
        let alone = ring(2, &[]);
        admit(&store, &alone).await.unwrap();
        let known = AccountCache::new(alone).lookup(&store, &key_id).await.unwrap().unwrap();
        assert_eq!(known.secret, secret);
        assert!(admit(&store, &old).await.is_err(), "the earlier master key alone must not do any more");
    }
}
