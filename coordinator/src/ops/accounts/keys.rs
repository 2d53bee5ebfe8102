//! Making accounts and keys. A secret leaves here once and is sealed from then on.

use ffleet_protocol::{
    Timestamp,
    account::{IssuedKey, NewAccount, RotateRequest},
    id::{AccountId, KeyId},
    problem::Code,
    sign::Secret,
    state::Role,
};

use super::{COMMAND_LINE, TRIES, busy, commit, load, scope::checked};
use crate::{
    app::App,
    ops::{Caller, OpError},
    store::accounts::{self, AccountRow, KeyRow},
};

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Longest that a replaced key may go on: a year.
const OVERLAP_S: u64 = 366 * 24 * 3600;

/// Makes an account and its first key.
pub async fn add(app: &App, who: &Caller, new: NewAccount) -> Result<IssuedKey, OpError> {
    if new.id.as_str() == COMMAND_LINE {
        let detail = format!("{COMMAND_LINE} stands for the coordinator's own command line; choose another name");
        return Err(OpError::field(Code::BadField, "id", detail));
    }
    let account = AccountRow {
        id: new.id,
        role: new.role,
        enabled: true,
        scope: checked(&new.scope, "scope.")?,
        created_at: app.store.now().await?,
        version: 0,
    };
    let (key, issued) = issue(app, &account.id, account.role, account.created_at)?;
    if commit(app, who, accounts::add(&account, &key)).await?.is_none() {
        return Err(OpError::refused(Code::AccountExists, format!("an account {} exists already", account.id)));
    }
    // Its key ids are random, so nobody can have asked for them before; only a clean cache is certain, though.
    app.accounts.forget(&account.id);
    tracing::info!(account = %account.id, role = %account.role, key = %issued.key_id, by = %who.account, "account added");
    Ok(issued)
}

/// Makes a second key. The first one goes on for the overlap; a third one that was still going on ends now, because at
/// most two keys are live.
pub async fn rotate(app: &App, who: &Caller, id: &AccountId, request: &RotateRequest) -> Result<IssuedKey, OpError> {
    if request.overlap_s > OVERLAP_S {
        let detail = format!("{} is too long; at most {OVERLAP_S} seconds (a year) are allowed", request.overlap_s);
        return Err(OpError::field(Code::BadField, "overlap_s", detail));
    }
    for _ in 0..TRIES {
        let (account, keys) = load(app, id).await?;
        let now = app.store.now().await?;
        let (key, issued) = issue(app, id, account.role, now)?;
        let mut change = accounts::update(&account);
        for end in endings(&keys, now, end_of_overlap(now, request.overlap_s)?) {
            accounts::end_key(&mut change, &end.key_id, end.at);
        }
        accounts::add_key(&mut change, &key);
        if commit(app, who, change).await?.is_some() {
            app.accounts.forget(id);
            tracing::info!(account = %id, key = %issued.key_id, overlap_s = request.overlap_s, by = %who.account, "key rotated");
            return Ok(issued);
        }
    }
    Err(busy(id))
}

/// What becomes of a key when a new one is made.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    key_id: KeyId,
    /// None: now and for good.
    at: Option<Timestamp>,
}

/// The newest live key goes on for the overlap, unless it ends sooner anyway; all others go.
fn endings(oldest_first: &[KeyRow], now: Timestamp, overlap_ends: Timestamp) -> Vec<Ending> {
    let kept = oldest_first.iter().rev().find(|key| key.is_live(now)).filter(|_| overlap_ends > now);
    oldest_first
        .iter()
        .map(|key| {
            let goes_on = kept.is_some_and(|kept| kept.key_id == key.key_id);
            let ends = key.expires_at.map_or(overlap_ends, |at| at.min(overlap_ends));
            Ending { key_id: key.key_id.clone(), at: goes_on.then_some(ends) }
        })
        .collect()
}

fn end_of_overlap(now: Timestamp, overlap_s: u64) -> Result<Timestamp, OpError> {
    now.checked_add(std::time::Duration::from_secs(overlap_s)).map_err(|error| OpError::Internal(error.into()))
}

fn issue(app: &App, account: &AccountId, role: Role, now: Timestamp) -> Result<(KeyRow, IssuedKey), OpError> {
    let mut bytes = vec![0; SECRET_BYTES];
    rand::fill(&mut bytes[..]);
    let secret = Secret::from_bytes(bytes);
    let key_id = fresh_key_id(account)?;
    let sealed = app.keyring.seal(&key_id, role, &secret).map_err(|error| OpError::Internal(error.into()))?;
    let row = KeyRow {
        key_id: key_id.clone(),
        account: account.clone(),
        sealed: sealed.bytes,
        master_key_id: sealed.master_key_id,
        created_at: now,
        expires_at: None,
    };
    Ok((row, IssuedKey { account: account.clone(), key_id, secret: secret.to_base64().as_str().to_owned() }))
}

/// The account's name, so that people recognize it in logs and key files, and 64 random bits, so that it is used once.
fn fresh_key_id(account: &AccountId) -> Result<KeyId, OpError> {
    let name: String = account.as_str().chars().take(40).collect();
    KeyId::new(format!("{name}.{:016x}", rand::random::<u64>())).map_err(|error| OpError::Internal(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key(name: &str, created: i64, expires: Option<i64>) -> KeyRow {
        KeyRow {
            key_id: KeyId::new(name).unwrap(),
            account: AccountId::new("a").unwrap(),
            sealed: Vec::new(),
            master_key_id: String::new(),
            created_at: at(created),
            expires_at: expires.map(at),
        }
    }

    #[test]
    fn at_most_one_earlier_key_goes_on() {
        let now = at(100);
        for (keys, overlap_ends, after) in [
            (vec![], 200, vec![]),
            (vec![key("a", 1, None)], 200, vec![("a", Some(200))]),
            (vec![key("a", 1, None)], 100, vec![("a", None)]),
            (vec![key("a", 1, Some(150)), key("b", 2, None)], 200, vec![("a", None), ("b", Some(200))]),
            (vec![key("a", 1, Some(90)), key("b", 2, Some(150))], 200, vec![("a", None), ("b", Some(150))]),
            (vec![key("a", 1, Some(90))], 200, vec![("a", None)]),
        ] {
            let found = endings(&keys, now, at(overlap_ends));
            let found: Vec<_> = found.iter().map(|end| (end.key_id.as_str(), end.at)).collect();
            let after: Vec<_> = after.into_iter().map(|(id, end)| (id, end.map(at))).collect();
            assert_eq!(found, after);
        }
    }

    #[test]
    fn key_ids_are_fresh_and_fit() {
        for name in ["a".to_owned(), "x".repeat(64)] {
            let account = AccountId::new(name).unwrap();
            let (one, two) = (fresh_key_id(&account).unwrap(), fresh_key_id(&account).unwrap());
            assert_ne!(one, two);
            assert!(one.as_str().len() <= 64);
        }
    }
}
