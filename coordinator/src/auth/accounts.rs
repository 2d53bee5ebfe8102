//! Keys of accounts, opened, in memory for at most five seconds.
//!
//! Every request needs one, and reading it each time would double the reads of the database. Five seconds is what a
//! revoked key may still work on another coordinator; on the one that changed it, it ends at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ffleet_protocol::{
    Timestamp,
    account::Scope,
    id::{AccountId, KeyId},
    sign::Secret,
    state::Role,
};
use ipnet::IpNet;

use super::{Keyring, Sealed};
use crate::store::{Store, StoreError};

/// How long what was read may be believed.
const FRESH: Duration = Duration::from_secs(5);
/// Entries kept; strangers can ask for any number of key ids.
const ENTRIES: usize = 4_096;

/// A key that exists, and whose it is.
#[derive(Debug)]
pub struct KnownKey {
    /// Whose it is.
    pub account: AccountId,
    /// Its id.
    pub key_id: KeyId,
    /// What the account may do.
    pub role: Role,
    /// What it may do beyond its role.
    pub scope: Scope,
    /// Where it may come from; none means anywhere.
    pub networks: Vec<IpNet>,
    /// What its signatures are made with.
    pub secret: Secret,
    /// Whether the account may do anything at all.
    pub enabled: bool,
    /// When the key stops working.
    pub expires_at: Option<Timestamp>,
}

/// The keys that were asked for lately.
#[derive(Debug)]
pub struct AccountCache {
    keyring: Keyring,
    /// Opened in place of a key that there is not, so that it takes as long to say so.
    decoy: Option<(KeyId, Sealed)>,
    entries: Mutex<HashMap<KeyId, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    read_at: Instant,
    /// None: no such key. Remembered too, or a stranger could have the database read at will.
    known: Option<Arc<KnownKey>>,
}

impl AccountCache {
    /// An empty cache; `keyring` opens what the database keeps sealed.
    #[must_use]
    pub fn new(keyring: Keyring) -> Self {
        let decoy = KeyId::new("decoy").ok().and_then(|id| {
            let sealed = keyring.seal(&id, Role::Client, &Secret::from_bytes(vec![0; 32])).ok()?;
            Some((id, sealed))
        });
        Self { keyring, decoy, entries: Mutex::default() }
    }

    /// The key of this id, whether or not it works now. None: there is no such key.
    ///
    /// # Errors
    /// When the database does not answer. That is no answer about the key.
    pub async fn lookup(&self, store: &Store, key_id: &KeyId) -> Result<Option<Arc<KnownKey>>, StoreError> {
        // Taken before reading: what changes while we read must not be believed longer because of it.
        let read_at = Instant::now();
        if let Some(entry) = self.fresh(key_id, read_at) {
            return Ok(entry.known);
        }
        let known = self.read(store, key_id).await?.map(Arc::new);
        self.remember(key_id.clone(), Entry { read_at, known: known.clone() });
        Ok(known)
    }

    /// Forgets an account's keys, because it was changed.
    pub fn forget(&self, account: &AccountId) {
        self.entries().retain(|_, entry| entry.known.as_ref().is_some_and(|known| known.account != *account));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<KeyId, Entry>> {
        // Every change to the map is one call, so a panic elsewhere cannot have left it half changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, key_id: &KeyId, now: Instant) -> Option<Entry> {
        self.entries().get(key_id).filter(|entry| is_fresh(entry, now)).cloned()
    }

    fn remember(&self, key_id: KeyId, entry: Entry) {
        let mut entries = self.entries();
        if entries.len() >= ENTRIES {
            entries.retain(|_, old| is_fresh(old, entry.read_at));
        }
        if entries.len() >= ENTRIES {
            // Only strangers fill it so far; they lose their places, and keys that exist keep theirs.
            entries.retain(|_, old| old.known.is_some());
        }
        if entries.len() < ENTRIES {
            entries.insert(key_id, entry);
        }
    }

    async fn read(&self, store: &Store, key_id: &KeyId) -> Result<Option<KnownKey>, StoreError> {
        let Some((account, key)) = store.key(key_id).await? else {
            if let Some((id, sealed)) = &self.decoy {
                std::hint::black_box(self.keyring.open(id, Role::Client, sealed).is_ok());
            }
            return Ok(None);
        };
        let sealed = Sealed { master_key_id: key.master_key_id, bytes: key.sealed };
        let secret = match self.keyring.open(key_id, account.role, &sealed) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(key = %key_id, account = %account.id, %error, "a key cannot be used");
                return Ok(None);
            }
        };
        let networks = account.scope.networks.iter().map(|network| network.parse());
        let networks: Result<Vec<IpNet>, _> = networks.collect();
        Ok(Some(KnownKey {
            // Never "from anywhere" because of a row that makes no sense.
            networks: networks.map_err(|error| StoreError::corrupt(&account.id, error))?,
            account: account.id,
            key_id: key_id.clone(),
            role: account.role,
            scope: account.scope,
            secret,
            enabled: account.enabled,
            expires_at: key.expires_at,
        }))
    }
}

fn is_fresh(entry: &Entry, now: Instant) -> bool {
    now.saturating_duration_since(entry.read_at) < FRESH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Option<Arc<KnownKey>> {
        Some(Arc::new(KnownKey {
            account: AccountId::new("alice").unwrap(),
            key_id: KeyId::new("alice.1").unwrap(),
            role: Role::Client,
            scope: Scope::default(),
            networks: Vec::new(),
            secret: Secret::from_bytes(vec![1; 32]),
            enabled: true,
            expires_at: None,
        }))
    }

    fn cache() -> AccountCache {
        AccountCache::new(Keyring::new([1; 32].into(), []))
    }

    #[test]
    fn what_was_read_is_believed_for_five_seconds() {
        let (cache, id, start) = (cache(), KeyId::new("alice.1").unwrap(), Instant::now());
        cache.remember(id.clone(), Entry { read_at: start, known: known() });
        assert!(cache.fresh(&id, start + Duration::from_millis(4_999)).is_some());
        assert!(cache.fresh(&id, start + FRESH).is_none());
        cache.forget(&AccountId::new("bob").unwrap());
        assert!(cache.fresh(&id, start).is_some());
        cache.forget(&AccountId::new("alice").unwrap());
        assert!(cache.fresh(&id, start).is_none());
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let (cache, start) = (cache(), Instant::now());
        let id = |n: usize| KeyId::new(format!("k{n}")).unwrap();
        cache.remember(id(0), Entry { read_at: start, known: known() });
        for n in 1..3 * ENTRIES {
            cache.remember(id(n), Entry { read_at: start, known: None });
            assert!(cache.entries().len() <= ENTRIES);
        }
        assert!(cache.fresh(&id(0), start).is_some_and(|entry| entry.known.is_some()));
    }
}
