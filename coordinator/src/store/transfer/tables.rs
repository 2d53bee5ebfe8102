//! The tables as data, and how to go through them page by page.

use sea_orm::{DbBackend, Value};

use super::super::{
    kind::{Holds, Kind},
    row::{self, Row},
};

/// A table.
#[derive(Debug)]
pub(in crate::store) struct Table {
    /// What it is called.
    pub(in crate::store) name: &'static str,
    /// Its columns.
    pub(in crate::store) columns: &'static [&'static str],
    /// What each of them holds.
    pub(super) kinds: &'static [Kind],
    /// The columns of its primary key.
    key: Vec<(&'static str, Kind)>,
    /// Rows that are read at once.
    pub(super) page: usize,
}

/// Most rows are small.
const MANY: usize = 500;
/// Those of commands and of output need not be.
const FEW: usize = 16;

/// Every table of an installation, in the order in which a file has them.
pub(in crate::store) fn tables() -> Vec<Table> {
    vec![
        table::<row::installation::Model>(MANY),
        table::<row::account::Model>(MANY),
        table::<row::account_key::Model>(MANY),
        table::<row::need::Model>(MANY),
        table::<row::worker::Model>(FEW),
        table::<row::job::Model>(MANY),
        table::<row::job_spec::Model>(FEW),
        table::<row::job_label::Model>(MANY),
        table::<row::job_identity::Model>(MANY),
        table::<row::task::Model>(MANY),
        table::<row::task_dep::Model>(MANY),
        table::<row::output::Model>(MANY),
        table::<row::chunk::Model>(FEW),
        table::<row::attempt::Model>(MANY),
        table::<row::event::Model>(MANY),
        table::<row::idempotency::Model>(MANY),
        table::<row::nonce::Model>(MANY),
    ]
}

fn table<R: Row>(page: usize) -> Table {
    let kind = |name: &str| R::COLUMNS.iter().zip(R::KINDS).find(|(column, _)| **column == name).map(|(_, kind)| *kind);
    let key = R::key().into_iter().filter_map(|name| Some((name, kind(name)?))).collect();
    Table { name: R::TABLE, columns: R::COLUMNS, kinds: R::KINDS, key, page }
}

impl Table {
    /// What its rows are read in the order of. The events of SQLite lie in the order in which they were committed, under
    /// hidden numbers, and have to come back in it.
    pub(super) fn order(&self, backend: DbBackend) -> Vec<(&'static str, Kind)> {
        if self.name == row::event::Model::TABLE && backend == DbBackend::Sqlite {
            vec![("rowid", Kind::of(Holds::Number))]
        } else {
            self.key.clone()
        }
    }

    /// The statement that reads the page after the row with this key, or the first one: its columns, and then its key.
    pub(super) fn page(&self, backend: DbBackend, after: Option<&[Value]>) -> (String, Vec<Value>) {
        self.read(backend, &format!("{}, ", self.columns.join(", ")), after, self.page)
    }

    /// The statement that reads the keys of so many rows, from the first one on.
    pub(super) fn keys(&self, backend: DbBackend, rows: usize) -> String {
        self.read(backend, "", None, rows).0
    }

    /// The statement that removes all rows up to that with this key.
    pub(super) fn removal(&self, backend: DbBackend, to: &[Value]) -> (String, Vec<Value>) {
        let (condition, values) = compared(&names(&self.order(backend)), to, backend, "<", "<=");
        (format!("DELETE FROM {} WHERE {condition}", self.name), values)
    }

    fn read(&self, backend: DbBackend, columns: &str, after: Option<&[Value]>, rows: usize) -> (String, Vec<Value>) {
        let key = names(&self.order(backend));
        let (condition, values) = match after {
            None => (String::new(), Vec::new()),
            Some(after) => {
                let (condition, values) = compared(&key, after, backend, ">", ">");
                (format!(" WHERE {condition}"), values)
            }
        };
        // Left to itself, MariaDB may think that another index is worth a sort of all rows.
        let index = if backend == DbBackend::MySql { " FORCE INDEX (PRIMARY)" } else { "" };
        let (table, key) = (self.name, key.join(", "));
        (format!("SELECT {columns}{key} FROM {table}{index}{condition} ORDER BY {key} LIMIT {rows}"), values)
    }
}

fn names(key: &[(&'static str, Kind)]) -> Vec<&'static str> {
    key.iter().map(|(name, _)| *name).collect()
}

/// What compares a key of several columns in one go, with its values. MariaDB finds its place in an index only when it is
/// spelled out, column by column; the others only when it is not.
fn compared(
    names: &[&'static str],
    values: &[Value],
    backend: DbBackend,
    strictly: &str,
    last: &str,
) -> (String, Vec<Value>) {
    if backend != DbBackend::MySql {
        let places = vec!["?"; names.len()].join(", ");
        return (format!("({}) {last} ({places})", names.join(", ")), values.to_vec());
    }
    let (mut alternatives, mut bound) = (Vec::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        let how = if index + 1 == names.len() { last } else { strictly };
        let same: String = names.iter().take(index).map(|name| format!("{name} = ? AND ")).collect();
        alternatives.push(format!("({same}{name} {how} ?)"));
        bound.extend(values.iter().take(index + 1).cloned());
    }
    (format!("({})", alternatives.join(" OR ")), bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> Table {
        table::<row::attempt::Model>(2)
    }

    #[test]
    fn pages_follow_each_other_by_key() {
        let after = [uuid::Uuid::nil().into(), Value::from(7_i64)];
        let (sql, values) = attempts().page(DbBackend::Postgres, Some(&after));
        let end = ", task_id, epoch FROM attempts WHERE (task_id, epoch) > (?, ?) ORDER BY task_id, epoch LIMIT 2";
        assert!(sql.ends_with(end), "{sql}");
        assert_eq!(values, after);
        let (sql, values) = attempts().page(DbBackend::MySql, Some(&after));
        let end = "FROM attempts FORCE INDEX (PRIMARY) WHERE ((task_id > ?) OR (task_id = ? AND epoch > ?)) ORDER BY \
                   task_id, epoch LIMIT 2";
        assert!(sql.ends_with(end), "{sql}");
        assert_eq!(values, [after[0].clone(), after[0].clone(), after[1].clone()]);
        let (sql, _) = attempts().removal(DbBackend::MySql, &after);
        assert_eq!(sql, "DELETE FROM attempts WHERE ((task_id < ?) OR (task_id = ? AND epoch <= ?))");
    }

    #[test]
    fn every_table_has_a_key_and_is_there_once() {
        let all = tables();
        assert!(all.iter().all(|table| !table.key.is_empty() && table.columns.len() == table.kinds.len()));
        let mut names: Vec<_> = all.iter().map(|table| table.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
    }
}
