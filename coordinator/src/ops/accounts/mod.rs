//! Accounts: who may sign requests, with which keys, and what they may do. The same functions serve admins over HTTP and
//! the command line that makes the first admin.

mod change;
mod keys;
mod scope;
#[cfg(test)]
mod tests;

use ffleet_protocol::{
    Timestamp,
    account::{AccountList, AccountView, KeyView},
    id::{AccountId, RequestId},
    problem::Code,
    state::Role,
};

use crate::{
    app::App,
    ops::{Caller, OpError, replayed},
    store::{
        Conflicting, StoreError,
        accounts::{AccountRow, KeyRow},
        commit::Commit,
    },
};

pub use change::{disable, enable, remove, scope};
pub use keys::{add, rotate};

/// Decisions that are taken again because somebody else wrote first.
const TRIES: u32 = 8;

/// In logs, the command line of the coordinator's machine. No account can have this name.
pub const COMMAND_LINE: &str = "command-line";

/// The caller for whoever has the database and the master key in hand: the command line that makes the first admin.
#[must_use]
#[expect(clippy::expect_used, reason = "the name is a constant and a test holds it")]
pub fn command_line() -> Caller {
    Caller {
        account: AccountId::new(COMMAND_LINE).expect("a good name"),
        role: Role::Admin,
        sees_all: true,
        raw_paths: true,
        weight: 1,
        request_id: RequestId::new(),
        nonce: None,
    }
}

/// Every account, by name.
pub async fn list(app: &App, _who: &Caller) -> Result<AccountList, OpError> {
    let now = app.store.now().await?;
    let accounts = app.store.accounts().await?;
    Ok(AccountList { accounts: accounts.iter().map(|(account, keys)| view(account, keys, now)).collect() })
}

/// One account.
pub async fn show(app: &App, _who: &Caller, id: &AccountId) -> Result<AccountView, OpError> {
    let now = app.store.now().await?;
    let (account, keys) = load(app, id).await?;
    Ok(view(&account, &keys, now))
}

/// Keys that have ended are no longer of interest to anybody.
fn view(account: &AccountRow, keys: &[KeyRow], now: Timestamp) -> AccountView {
    let live = keys.iter().filter(|key| key.is_live(now));
    AccountView {
        id: account.id.clone(),
        role: account.role,
        enabled: account.enabled,
        scope: account.scope.clone(),
        keys: live
            .map(|key| KeyView { key_id: key.key_id.clone(), created_at: key.created_at, expires_at: key.expires_at })
            .collect(),
        created_at: account.created_at,
    }
}

async fn load(app: &App, id: &AccountId) -> Result<(AccountRow, Vec<KeyRow>), OpError> {
    let found = app.store.account(id).await?;
    found.ok_or_else(|| OpError::refused(Code::NoSuchAccount, format!("there is no account {id}")))
}

/// Commits with the caller's nonce. `None`: somebody else wrote first, decide again.
async fn commit(app: &App, who: &Caller, mut change: Commit) -> Result<Option<()>, OpError> {
    change.join(who.once());
    match app.store.commit(change).await {
        Ok(()) => Ok(Some(())),
        Err(StoreError::Conflict(Conflicting::Account)) => Ok(None),
        Err(StoreError::Conflict(Conflicting::Nonce)) => Err(replayed()),
        Err(error) => Err(error.into()),
    }
}

fn busy(id: &AccountId) -> OpError {
    OpError::Unavailable(format!("the account {id} kept changing while this request was decided; send it again"))
}
