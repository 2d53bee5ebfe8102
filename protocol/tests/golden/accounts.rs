//! Accounts and keys.

use ffleet_protocol::{
    account::{AccountList, AccountView, IssuedKey, KeyView, NewAccount, RotateRequest, Scope},
    state::Role,
};

use crate::{Golden, values::*};

pub(crate) fn check(golden: &mut Golden) {
    let scope = Scope { networks: set(&["10.0.0.0/8", "fd00::/8"]), sees_all: true, raw_paths: true, weight: 3 };
    golden.check("new_account", &NewAccount { id: name("studio"), role: Role::Client, scope: scope.clone() });
    golden.check("scope", &scope);
    golden.check(
        "issued_key",
        &IssuedKey {
            account: name("studio"),
            key_id: name("studio-1"),
            secret: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        },
    );
    let view = AccountView {
        id: name("studio"),
        role: Role::Client,
        enabled: true,
        scope,
        keys: vec![
            KeyView { key_id: name("studio-1"), created_at: at(0), expires_at: Some(at(86_400)) },
            KeyView { key_id: name("studio-2"), created_at: at(60), expires_at: None },
        ],
        created_at: at(0),
    };
    golden.check("account_view", &view);
    golden.check("account_list", &AccountList { accounts: vec![view] });
    golden.check("rotate_request", &RotateRequest { overlap_s: 3600 });
}
