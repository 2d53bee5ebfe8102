//! A change of one row that exists, as data.

use sea_orm::{IdenStatic, Value};

use super::row::Row;

/// Columns that become others in the one row that has these values.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    table: &'static str,
    set: Vec<(&'static str, Value)>,
    is: Vec<(&'static str, Value)>,
}

impl Change {
    /// Of the row of `table` whose `column` has this value.
    pub(crate) fn of(table: &'static str, column: impl IdenStatic, value: impl Into<Value>) -> Self {
        Self { table, set: Vec::new(), is: vec![(column.as_str(), value.into())] }
    }

    /// Of the row that also has this value.
    pub(crate) fn and(mut self, column: impl IdenStatic, value: impl Into<Value>) -> Self {
        self.is.push((column.as_str(), value.into()));
        self
    }

    /// Of the row of this version, which becomes the next one.
    pub(crate) fn next(mut self, version: i64) -> Self {
        self.set.push(("version", (version + 1).into()));
        self.is.push(("version", version.into()));
        self
    }

    /// What a column becomes.
    pub(crate) fn set(mut self, column: impl IdenStatic, value: impl Into<Value>) -> Self {
        self.set.push((column.as_str(), value.into()));
        self
    }

    /// What differs between the row as it is and as it becomes. What stays is not written: every index over a column that
    /// is named would be written again, whether the value is another one or not.
    pub(crate) fn becomes<R: Row>(mut self, is: &R, becomes: &R) -> Self {
        self.set.append(&mut becomes.unlike(is));
        self
    }

    /// The same for a column that is only known by its name.
    pub(super) fn of_named(table: &'static str, column: &'static str, value: Value) -> Self {
        Self { table, set: Vec::new(), is: vec![(column, value)] }
    }

    pub(super) fn table(&self) -> &'static str {
        self.table
    }

    /// Whether it is of the row whose `column` has this value.
    pub(super) fn is_of(&self, column: &str, value: &Value) -> bool {
        self.is.first().is_some_and(|(name, is)| *name == column && is == value)
    }

    /// Has it happen only while the row has this version.
    pub(super) fn under(&mut self, version: i64) {
        if !self.is.iter().any(|(column, _)| *column == "version") {
            self.is.push(("version", version.into()));
        }
    }

    /// The column that tells rows apart, as far as one does.
    pub(super) fn key_column(&self) -> &'static str {
        self.is.first().map_or("", |(column, _)| column)
    }

    /// Its value.
    pub(super) fn key(&self) -> Value {
        self.is.first().map_or(Value::Bool(None), |(_, value)| value.clone())
    }

    /// What becomes what.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.set.iter().map(|(column, value)| (*column, value))
    }

    /// What the row must be like.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.is.iter().map(|(column, value)| (*column, value))
    }

    /// The statement, with a `?` for each of its values.
    pub(super) fn sql(&self) -> String {
        let equals = |part: &[(&str, Value)], between: &str| {
            let parts: Vec<String> = part.iter().map(|(column, _)| format!("{column} = ?")).collect();
            parts.join(between)
        };
        format!("UPDATE {} SET {} WHERE {}", self.table, equals(&self.set, ", "), equals(&self.is, " AND "))
    }

    /// The values of the statement.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.set.iter().chain(&self.is).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::row::account::{Column as C, Model};

    #[test]
    fn only_what_differs_is_written() {
        let is = Model {
            id: "alice".to_owned(),
            role: "client".to_owned(),
            enabled: 1,
            scope: "{}".to_owned(),
            created_at: 5,
            version: 3,
        };
        let becomes = Model { enabled: 0, ..is.clone() };
        let change = Change::of("accounts", C::Id, "alice").next(3).becomes(&is, &becomes).set(C::Scope, "[]");
        assert_eq!(
            change.sql(),
            "UPDATE accounts SET version = ?, enabled = ?, scope = ? WHERE id = ? AND version = ?"
        );
        let values: Vec<Value> =
            [4_i64, 0].map(Value::from).into_iter().chain(["[]".into(), "alice".into(), 3_i64.into()]).collect();
        assert_eq!(change.values().cloned().collect::<Vec<_>>(), values);
    }
}
