//! Whether a commit whose answer was lost is there. What it wrote tells: the id of an event, which nobody else can have
//! made, or else the values that it set.

use sea_orm::Value;

use super::{super::commit::Commit, link::Link, statements::Step};

/// Looks for what the commit wrote, on a node that has applied everything that was committed before. A commit that leaves
/// nothing to look for can be run again.
pub(super) async fn landed(link: &mut Link, commit: &Commit) -> Result<bool, sqlx::Error> {
    let Some(Step { sql, values, .. }) = trace(commit) else { return Ok(false) };
    link.causal(true).await?;
    let found = link.rows(&sql, values).await?;
    link.causal(false).await?;
    Ok(!found.is_empty())
}

fn trace(commit: &Commit) -> Option<Step> {
    let rows = &commit.rows;
    if let Some(event) = rows.events.first() {
        return Some(look("events", vec![("id", event.id.into())]));
    }
    if let Some(nonce) = rows.nonces.first() {
        let is = vec![
            ("key_id", nonce.key_id.as_str().into()),
            ("nonce", nonce.nonce.as_str().into()),
            ("request_id", nonce.request_id.into()),
        ];
        return Some(look("nonces", is));
    }
    if let Some(change) = commit.changes.first() {
        let key = change
            .conditions()
            .filter(|(column, _)| *column != "version")
            .filter(|(column, _)| !change.columns().any(|(set, _)| set == *column));
        return Some(look(
            change.table(),
            key.chain(change.columns()).map(|(column, value)| (column, value.clone())).collect(),
        ));
    }
    rows.first().map(|(table, is)| look(table, is))
}

/// `IS NULL` for what is not there: nothing equals NULL.
fn look(table: &str, is: Vec<(&'static str, Value)>) -> Step {
    let mut values = Vec::new();
    let mut parts = Vec::new();
    for (column, value) in is {
        if value == value.as_null() {
            parts.push(format!("{column} IS NULL"));
        } else {
            parts.push(format!("{column} = ?"));
            values.push(value);
        }
    }
    let sql = format!("SELECT 1 FROM {table} WHERE {}", parts.join(" AND "));
    Step { sql, values, rows: None, loser: None }
}
