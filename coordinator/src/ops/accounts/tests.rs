//! Accounts from their making to their end, on a real database.

use ffleet_protocol::{
    account::{NewAccount, RotateRequest, Scope},
    id::AccountId,
    problem::Code,
    state::Role,
};

use super::*;
use crate::{auth::Keyring, config::Config, store::Store};

/// A coordinator without a server, and who works on it from the command line.
struct Bench {
    app: App,
    local: Caller,
    _folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}/ffleet.db", folder.path().display())).await.unwrap();
    let app = App::new(Config::default(), store, Keyring::new([1; 32].into(), []));
    Bench { app, local: command_line(), _folder: folder }
}

fn id(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn new(name: &str, role: Role) -> NewAccount {
    NewAccount { id: id(name), role, scope: Scope::default() }
}

fn code<T: std::fmt::Debug>(answer: Result<T, OpError>) -> Code {
    match answer {
        Err(OpError::Refused(refused)) => refused.code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn with(accounts: &[(&str, Role)]) -> Bench {
    let bench = bench().await;
    for (name, role) in accounts {
        add(&bench.app, &bench.local, new(name, *role)).await.unwrap();
    }
    bench
}

#[tokio::test]
async fn a_new_account_can_sign_at_once() {
    let bench = with(&[]).await;
    let issued = add(&bench.app, &bench.local, new("alice", Role::Client)).await.unwrap();
    let known = bench.app.accounts.lookup(&bench.app.store, &issued.key_id).await.unwrap().unwrap();
    assert_eq!((known.account.as_str(), known.role, known.enabled), ("alice", Role::Client, true));
    assert_eq!(known.secret.to_base64().as_str(), issued.secret);
    assert_eq!(known.secret.expose().len(), 32);
    let stranger = "alice.0".parse().unwrap();
    assert!(bench.app.accounts.lookup(&bench.app.store, &stranger).await.unwrap().is_none());
    assert_eq!(code(add(&bench.app, &bench.local, new("alice", Role::Admin)).await), Code::AccountExists);
    assert_eq!(code(add(&bench.app, &bench.local, new(COMMAND_LINE, Role::Admin)).await), Code::BadField);
}

#[tokio::test]
async fn what_changes_counts_at_once() {
    let bench = with(&[]).await;
    let (app, who) = (&bench.app, &bench.local);
    let key = add(app, who, new("alice", Role::Client)).await.unwrap().key_id;
    let known = async || app.accounts.lookup(&app.store, &key).await.unwrap();
    assert!(known().await.unwrap().enabled);
    assert!(!disable(app, who, &id("alice")).await.unwrap().enabled);
    assert!(!known().await.unwrap().enabled);
    assert!(enable(app, who, &id("alice")).await.unwrap().enabled);
    let wide = Scope { sees_all: true, weight: 7, networks: ["10.1.1.1/8".to_owned()].into(), ..Scope::default() };
    let view = scope(app, who, &id("alice"), wide).await.unwrap();
    assert_eq!(view.scope.networks.first().map(String::as_str), Some("10.0.0.0/8"));
    assert_eq!(known().await.unwrap().networks.len(), 1);
    assert_eq!(show(app, who, &id("alice")).await.unwrap(), view);
    remove(app, who, &id("alice")).await.unwrap();
    assert!(known().await.is_none());
    assert_eq!(code(show(app, who, &id("alice")).await), Code::NoSuchAccount);
    assert_eq!(code(disable(app, who, &id("alice")).await), Code::NoSuchAccount);
    let again = add(app, who, new("alice", Role::Client)).await.unwrap();
    assert_ne!(again.key_id, key);
}

#[tokio::test]
async fn two_keys_live_at_most() {
    let bench = with(&[]).await;
    let (app, who, alice) = (&bench.app, &bench.local, id("alice"));
    let first = add(app, who, new("alice", Role::Worker)).await.unwrap();
    let second = rotate(app, who, &alice, &RotateRequest { overlap_s: 3600 }).await.unwrap();
    let view = show(app, who, &alice).await.unwrap();
    let keys: Vec<_> = view.keys.iter().map(|key| (&key.key_id, key.expires_at.is_some())).collect();
    assert_eq!(keys, [(&first.key_id, true), (&second.key_id, false)]);

    let third = rotate(app, who, &alice, &RotateRequest { overlap_s: 3600 }).await.unwrap();
    let keys = show(app, who, &alice).await.unwrap().keys;
    assert_eq!(keys.iter().map(|key| &key.key_id).collect::<Vec<_>>(), [&second.key_id, &third.key_id]);
    assert!(app.accounts.lookup(&app.store, &first.key_id).await.unwrap().is_none());

    let last = rotate(app, who, &alice, &RotateRequest { overlap_s: 0 }).await.unwrap();
    let keys = show(app, who, &alice).await.unwrap().keys;
    assert_eq!(keys.iter().map(|key| &key.key_id).collect::<Vec<_>>(), [&last.key_id]);
    let far = rotate(app, who, &alice, &RotateRequest { overlap_s: u64::MAX }).await;
    assert_eq!(code(far), Code::BadField);
    assert_eq!(code(rotate(app, who, &id("bob"), &RotateRequest { overlap_s: 0 }).await), Code::NoSuchAccount);
}

#[tokio::test]
async fn the_last_admin_stays() {
    let bench = with(&[("root", Role::Admin), ("alice", Role::Client)]).await;
    let (app, who, root) = (&bench.app, &bench.local, id("root"));
    assert_eq!(code(disable(app, who, &root).await), Code::LastAdmin);
    assert_eq!(code(remove(app, who, &root).await), Code::LastAdmin);
    add(app, who, new("second", Role::Admin)).await.unwrap();
    disable(app, who, &root).await.unwrap();
    assert_eq!(code(remove(app, who, &id("second")).await), Code::LastAdmin, "a disabled admin does not count");
    remove(app, who, &root).await.unwrap();
    remove(app, who, &id("alice")).await.unwrap();
    assert_eq!(list(app, who).await.unwrap().accounts.len(), 1);
}

#[tokio::test]
async fn nobody_locks_out_himself() {
    let bench = with(&[("root", Role::Admin), ("other", Role::Admin)]).await;
    let root = Caller { account: id("root"), ..bench.local.clone() };
    assert_eq!(code(disable(&bench.app, &root, &id("root")).await), Code::LastAdmin);
    assert_eq!(code(remove(&bench.app, &root, &id("root")).await), Code::LastAdmin);
    remove(&bench.app, &root, &id("other")).await.unwrap();
}

#[tokio::test]
async fn two_admins_cannot_remove_each_other() {
    let bench = with(&[("one", Role::Admin), ("two", Role::Admin)]).await;
    let by = |name: &str| Caller { account: id(name), ..bench.local.clone() };
    let (one, two) = (by("one"), by("two"));
    let (first, second) = (id("one"), id("two"));
    let (a, b) = tokio::join!(remove(&bench.app, &one, &second), remove(&bench.app, &two, &first));
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    assert_eq!(list(&bench.app, &bench.local).await.unwrap().accounts.len(), 1);
}
