//! What a batch of commits writes, as statements. Pure.
//!
//! A row that is guarded is written under its version or, where nothing else of it changes, gets the next one: on a cluster,
//! locks are local to a node, and only rows that two transactions both write make one of them fail.

use std::collections::{BTreeMap, HashSet};

use sea_orm::{
    DbBackend, Value,
    sea_query::{MysqlQueryBuilder, PostgresQueryBuilder, QueryStatementWriter, Values},
};

use super::super::{
    change::Change,
    commit::{Commit, Conflicting, Guard},
    row::Row,
};

/// One statement, with a `?` for each value, and what it means when it does not meet its rows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Step {
    pub(in crate::store) sql: String,
    pub(in crate::store) values: Vec<Value>,
    /// The rows it must meet; `None` if any number will do.
    pub(in crate::store) rows: Option<u64>,
    /// Who has lost when it meets fewer, or finds that a row is there already. `None`: nobody can have, it is a fault.
    pub(in crate::store) loser: Option<Conflicting>,
}

/// Rows that one statement inserts or changes, at most.
const TOGETHER: usize = 64;
/// Bytes of one statement, far below what a server takes in one packet (`max_allowed_packet`, 16 MiB by default).
const BYTES: usize = 4 * 1024 * 1024;

/// Tables whose rows are changed together: the first column that a change names tells them apart. In this order, and by that
/// column, so that two transactions take the locks of their rows in the same order.
const IN_ORDER: [&str; 5] = ["workers", "tasks", "task_output", "jobs", "attempts"];

/// Everything that these commits write, in order.
pub(super) fn steps(commits: &[&Commit], backend: DbBackend) -> Vec<Step> {
    let mut changes: Vec<Change> = commits.iter().flat_map(|commit| guarded(commit)).collect();
    let place = |change: &Change| IN_ORDER.iter().position(|table| *table == change.table()).unwrap_or(IN_ORDER.len());
    changes.sort_by_cached_key(|change| (place(change), format!("{:?}", change.key())));
    let mut steps = Vec::new();
    let mut groups: BTreeMap<(usize, String), Vec<Change>> = BTreeMap::new();
    for (index, change) in changes.into_iter().enumerate() {
        let alone = place(&change) == IN_ORDER.len() || backend != DbBackend::MySql;
        let shape = if alone { format!("{index:08}") } else { change.sql() };
        groups.entry((place(&change), shape)).or_default().push(change);
    }
    for group in groups.values() {
        for part in in_powers_of_two(group) {
            steps.push(changed(part));
        }
    }
    for commit in commits {
        for delete in &commit.deletes {
            steps.push(built(delete, backend, None));
        }
        for insert in &commit.inserts {
            // Only needs get their ids from the database.
            steps.push(built(insert, backend, Some(Conflicting::Need)));
        }
        if commit.touch {
            steps.push(touch());
        }
    }
    let mut all = super::super::commit::Rows::default();
    for commit in commits {
        all.append(&mut commit.rows.clone());
    }
    steps.append(&mut all.steps());
    steps
}

/// The changes of a commit, each under the version that was guarded, and a next version for each guarded row that none of
/// them writes.
fn guarded(commit: &Commit) -> Vec<Change> {
    let mut changes = commit.changes.clone();
    for guard in &commit.guards {
        let Some((table, column, id, version)) = versioned(guard) else { continue };
        match changes.iter_mut().find(|change| change.table() == table && change.is_of(column, &id)) {
            Some(change) => change.under(version),
            None => changes.push(Change::of_named(table, column, id).next(version)),
        }
    }
    changes
}

fn versioned(guard: &Guard) -> Option<(&'static str, &'static str, Value, i64)> {
    Some(match guard {
        Guard::Job(id, version) => ("jobs", "id", id.0.into(), *version),
        Guard::Task(id, version) => ("tasks", "id", id.0.into(), *version),
        Guard::Output(id, version) => ("task_output", "task_id", id.0.into(), *version),
        Guard::Worker(id, version) => ("workers", "id", id.as_str().into(), *version),
        Guard::Account(id, version) => ("accounts", "id", id.as_str().into(), *version),
        _ => return None,
    })
}

/// Who has lost when a row of this table is not as it was, or is there already.
fn loser(table: &str) -> Option<Conflicting> {
    Some(match table {
        "jobs" => Conflicting::Job,
        "tasks" => Conflicting::Task,
        "task_output" => Conflicting::Output,
        "workers" => Conflicting::Worker,
        "accounts" => Conflicting::Account,
        "nonces" => Conflicting::Nonce,
        "idempotency" => Conflicting::Idempotency,
        "job_identities" => Conflicting::Identity,
        _ => return None,
    })
}

/// Changes of the same shape as one statement: each column becomes what its row's key says.
fn changed(changes: &[Change]) -> Step {
    let [first, others @ ..] = changes else {
        return Step { sql: String::new(), values: Vec::new(), rows: None, loser: None };
    };
    let loser = loser(first.table());
    if others.is_empty() {
        let values = first.values().cloned().collect();
        return Step { sql: first.sql(), values, rows: Some(1), loser };
    }
    let mut values = Vec::new();
    let key = first.key_column();
    let set: Vec<String> = first
        .columns()
        .enumerate()
        .map(|(index, (column, value))| {
            if others.iter().all(|other| other.columns().nth(index).is_some_and(|(_, same)| same == value)) {
                values.push(value.clone());
                return format!("{column} = ?");
            }
            for change in changes {
                values.extend(
                    change.columns().nth(index).map(|(_, value)| [change.key(), value.clone()]).into_iter().flatten(),
                );
            }
            format!("{column} = CASE {key}{} END", " WHEN ? THEN ?".repeat(changes.len()))
        })
        .collect();
    let mut alternatives = Vec::new();
    for change in changes {
        let parts: Vec<String> = change.conditions().map(|(column, _)| format!("{column} = ?")).collect();
        values.extend(change.conditions().map(|(_, value)| value.clone()));
        alternatives.push(format!("({})", parts.join(" AND ")));
    }
    let sql = format!("UPDATE {} SET {} WHERE {}", first.table(), set.join(", "), alternatives.join(" OR "));
    Step { sql, values, rows: Some(changes.len() as u64), loser }
}

/// New rows of one table.
pub(in crate::store) fn inserted<R: Row>(rows: &[R]) -> Vec<Step> {
    let rows: Vec<Vec<Value>> = rows.iter().map(Row::bound).collect();
    inserted_values(R::TABLE, R::COLUMNS, &rows)
}

/// The same of rows that are only known by their values, in the order of these columns.
pub(in crate::store) fn inserted_values(table: &str, columns: &[&str], rows: &[Vec<Value>]) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in in_powers_of_two(rows) {
        let weight: usize = part.iter().flatten().map(weight).sum();
        let parts = if weight > BYTES { part.len() } else { 1 };
        for some in part.chunks(part.len() / parts) {
            let one = format!("({})", vec!["?"; columns.len()].join(", "));
            let places = vec![one; some.len()].join(", ");
            steps.push(Step {
                sql: format!("INSERT INTO {table} ({}) VALUES {places}", columns.join(", ")),
                values: some.concat(),
                rows: None,
                loser: if table == "attempts" { Some(Conflicting::Grant) } else { loser(table) },
            });
        }
    }
    steps
}

/// Bytes that a value takes, roughly.
pub(in crate::store) fn weight(value: &Value) -> usize {
    match value {
        Value::String(Some(text)) => text.len(),
        Value::Bytes(Some(bytes)) => bytes.len(),
        _ => 8,
    }
}

/// Parts of 64, 32, 16, 8, 4, 2 and 1: parts of any length would each be a statement to prepare.
fn in_powers_of_two<T>(mut all: &[T]) -> Vec<&[T]> {
    let mut parts = Vec::new();
    while !all.is_empty() {
        let whole = all.len().min(TOGETHER);
        let (part, rest) = all.split_at(1 << whole.ilog2());
        parts.push(part);
        all = rest;
    }
    parts
}

fn built(statement: &impl QueryStatementWriter, backend: DbBackend, loser: Option<Conflicting>) -> Step {
    let (sql, Values(values)) = match backend {
        DbBackend::Postgres => statement.build(PostgresQueryBuilder),
        _ => statement.build(MysqlQueryBuilder),
    };
    Step { sql, values, rows: None, loser }
}

/// A row that means nothing: a nonce of nobody's, which the janitor removes.
fn touch() -> Step {
    let values =
        vec!["-".into(), format!("{:032x}", rand::random::<u128>()).into(), uuid::Uuid::nil().into(), 0_i64.into()];
    let sql = "INSERT INTO nonces (key_id, nonce, request_id, expires_at) VALUES (?, ?, ?, ?)".to_owned();
    Step { sql, values, rows: None, loser: None }
}

/// What tells whether two commits are about the same row, so that one of them cannot hold when the other does.
pub(super) fn subjects(commit: &Commit) -> HashSet<Guard> {
    commit
        .guards
        .iter()
        .filter(|guard| !matches!(guard, Guard::WorkerTakes(..) | Guard::Held(..)))
        .map(|guard| match guard.clone() {
            Guard::Job(id, _) => Guard::Job(id, 0),
            Guard::Task(id, _) => Guard::Task(id, 0),
            Guard::Output(id, _) => Guard::Output(id, 0),
            Guard::Worker(id, _) => Guard::Worker(id, 0),
            Guard::Account(id, _) => Guard::Account(id, 0),
            Guard::Identity(account, identity, _) => Guard::Identity(account, identity, None),
            other => other,
        })
        .collect()
}

/// Guards that no write stands for, as reads after the writes: a column to look for, and in whose absence who has lost.
pub(super) fn looks(commits: &[&Commit]) -> Vec<Step> {
    let guards: HashSet<&Guard> = commits.iter().flat_map(|commit| &commit.guards).collect();
    let mut looks: Vec<Step> = guards
        .into_iter()
        .filter_map(|guard| {
            let (sql, values): (&str, Vec<Value>) = match guard {
                Guard::Held(id, epoch, token) => (
                    "SELECT 1 FROM tasks WHERE id = ? AND epoch = ? AND holder_token = ? AND worker_id IS NOT NULL",
                    vec![id.0.into(), i64::from(*epoch).into(), token.0.into()],
                ),
                Guard::WorkerTakes(id, incarnation) => (
                    "SELECT 1 FROM workers WHERE id = ? AND incarnation = ? AND state = 'online'",
                    vec![id.as_str().into(), incarnation.0.into()],
                ),
                _ => return None,
            };
            Some(Step { sql: sql.to_owned(), values, rows: Some(1), loser: Some(guard.what()) })
        })
        .collect();
    looks.sort_by(|a, b| a.sql.cmp(&b.sql));
    looks
}
