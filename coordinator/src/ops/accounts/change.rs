//! Changing and removing accounts, without ever locking everybody out.

use ffleet_protocol::{
    account::{AccountView, Scope},
    id::AccountId,
    problem::Code,
    state::Role,
};

use super::{TRIES, busy, commit, load, scope::checked, view};
use crate::{
    app::App,
    ops::{Caller, OpError},
    store::{
        accounts::{self, AccountRow},
        commit::Commit,
    },
};

/// Replaces what an account may do beyond its role.
pub async fn scope(app: &App, who: &Caller, id: &AccountId, scope: Scope) -> Result<AccountView, OpError> {
    let scope = checked(&scope, "")?;
    change(app, who, id, Losing::Nothing, |account| account.scope = scope.clone()).await
}

/// Lets an account work again.
pub async fn enable(app: &App, who: &Caller, id: &AccountId) -> Result<AccountView, OpError> {
    change(app, who, id, Losing::Nothing, |account| account.enabled = true).await
}

/// Stops an account from doing anything; within five seconds everywhere.
pub async fn disable(app: &App, who: &Caller, id: &AccountId) -> Result<AccountView, OpError> {
    change(app, who, id, Losing::Access, |account| account.enabled = false).await
}

/// Removes an account and its keys. Its jobs stay, under its name.
pub async fn remove(app: &App, who: &Caller, id: &AccountId) -> Result<(), OpError> {
    for _ in 0..TRIES {
        let (account, _) = load(app, id).await?;
        let mut removal = accounts::remove(&account);
        keep_an_admin(app, who, &account, &mut removal).await?;
        if commit(app, who, removal).await?.is_some() {
            app.accounts.forget(id);
            tracing::info!(account = %id, by = %who.account, "account removed");
            return Ok(());
        }
    }
    Err(busy(id))
}

/// What the account loses by a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Losing {
    Nothing,
    Access,
}

async fn change(
    app: &App,
    who: &Caller,
    id: &AccountId,
    losing: Losing,
    apply: impl Fn(&mut AccountRow),
) -> Result<AccountView, OpError> {
    for _ in 0..TRIES {
        let (seen, keys) = load(app, id).await?;
        let mut next = seen.clone();
        apply(&mut next);
        let mut update = accounts::update(&next);
        if losing == Losing::Access {
            keep_an_admin(app, who, &seen, &mut update).await?;
        }
        if commit(app, who, update).await?.is_some() {
            app.accounts.forget(id);
            tracing::info!(account = %id, enabled = next.enabled, scope = ?next.scope, by = %who.account, "account changed");
            return Ok(view(&next, &keys, app.store.now().await?));
        }
    }
    Err(busy(id))
}

/// Refuses to take access from the caller's own account and from the last admin. The admin who remains is written too, so
/// that two admins who remove each other at the same moment cannot both succeed.
async fn keep_an_admin(app: &App, who: &Caller, losing: &AccountRow, change: &mut Commit) -> Result<(), OpError> {
    if losing.id == who.account {
        let detail = "this is the account that signed the request; have another admin do it";
        return Err(OpError::refused(Code::LastAdmin, detail));
    }
    if losing.role != Role::Admin || !losing.enabled {
        return Ok(());
    }
    let all = app.store.accounts().await?;
    let mut others = all.into_iter().map(|(account, _)| account);
    let remaining = others.find(|other| other.id != losing.id && other.role == Role::Admin && other.enabled);
    let Some(remaining) = remaining else {
        let detail = format!("{} is the last enabled admin; add or enable another one first", losing.id);
        return Err(OpError::refused(Code::LastAdmin, detail));
    };
    change.join(accounts::update(&remaining));
    Ok(())
}
