//! Accounts.

use ffleet_protocol::account::AccountView;

use super::short;
use crate::{
    output::{Look, Paint, Text},
    table::{Table, cell, painted},
};

/// A listing.
pub fn accounts(accounts: &[AccountView], look: Look) -> Table {
    let mut table = Table::new(&["ACCOUNT", "ROLE", "STATE", "WEIGHT", "KEYS", "FROM", "MAY"]);
    for account in accounts {
        let (state, paint) = state(account);
        table.row(vec![
            cell(&account.id),
            cell(account.role),
            painted(state, paint),
            cell(account.scope.weight),
            cell(account.keys.iter().filter(|key| key.expires_at.is_none_or(|at| at > look.now)).count()),
            cell(networks(account)),
            cell(rights(account)),
        ]);
    }
    table
}

impl Text for AccountView {
    fn text(&self, look: Look) -> String {
        let mut table = Table::bare();
        let mut row = |name: &str, value: String| table.row(vec![painted(name, Paint::Dim), cell(value)]);
        let (word, paint) = state(self);
        row("account", self.id.to_string());
        row("role", self.role.to_string());
        row("state", look.paint(paint, word));
        row("weight", self.scope.weight.to_string());
        row("from", networks(self));
        if !rights(self).is_empty() {
            row("may", rights(self));
        }
        row("created", short(self.created_at));
        for key in &self.keys {
            let until = key.expires_at.map(|at| format!(", works until {}", short(at))).unwrap_or_default();
            row("key", format!("{}, made {}{until}", key.key_id, short(key.created_at)));
        }
        table.text(Look { terminal: false, ..look })
    }
}

fn state(account: &AccountView) -> (&'static str, Paint) {
    if account.enabled { ("enabled", Paint::Good) } else { ("disabled", Paint::Bad) }
}

fn networks(account: &AccountView) -> String {
    match account.scope.networks.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => "anywhere".to_owned(),
        some => some.join(", "),
    }
}

fn rights(account: &AccountView) -> String {
    let rights = [(account.scope.sees_all, "see all jobs"), (account.scope.raw_paths, "name any path")];
    rights.into_iter().filter(|(has, _)| *has).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}
