//! Rows that lie in the index of their primary key. In SQLite a table has an index of its own over hidden numbers otherwise,
//! and the primary key is a second one beside it: each row was written to both and found through both. MariaDB's tables lie
//! in their primary key already.
//!
//! What a column may hold is spelled out on the way: for every row that is written, SQLite makes a table of its own of a list
//! after `IN` and drops it again, which takes longer than to insert the row.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_clustered"
    }
}

/// Those with many rows. All but the output, whose rows are too large for it, and the events, whose hidden numbers are the
/// order in which they were committed.
const TABLES: &[&str] = &[
    "nonces",
    "idempotency",
    "jobs",
    "job_specs",
    "job_labels",
    "job_identities",
    "tasks",
    "task_deps",
    "task_output",
    "attempts",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait hides the lifetime, and its implementations have to")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A table is made anew, filled, and takes the old one's name: half of that must not stay.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Sqlite {
            return Ok(());
        }
        for table in TABLES {
            rebuild(manager, table).await?;
        }
        Ok(())
    }
}

async fn rebuild(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let ask = |kind: &str| {
        let sql = "SELECT sql FROM sqlite_master WHERE type = ? AND tbl_name = ? AND sql IS NOT NULL ORDER BY name";
        Statement::from_sql_and_values(DbBackend::Sqlite, sql, [kind.into(), table.into()])
    };
    let mut made = Vec::new();
    for kind in ["table", "index"] {
        for row in db.query_all_raw(ask(kind)).await? {
            made.push(row.try_get_by_index::<String>(0)?);
        }
    }
    let Some((definition, indexes)) = made.split_first() else {
        return Err(DbErr::Migration(format!("there is no table {table}")));
    };
    let words: Vec<&str> = definition.split_whitespace().collect();
    let definition = words.join(" ");
    let columns = spelled_out(definition.find('(').map_or("", |at| &definition[at..]));
    db.execute_unprepared(&format!("CREATE TABLE clustered {columns} WITHOUT ROWID")).await?;
    db.execute_unprepared(&format!("INSERT INTO clustered SELECT * FROM {table} ORDER BY 1, 2")).await?;
    db.execute_unprepared(&format!("DROP TABLE {table}")).await?;
    db.execute_unprepared(&format!("ALTER TABLE clustered RENAME TO {table}")).await?;
    for index in indexes {
        db.execute_unprepared(index).await?;
    }
    Ok(())
}

/// The same with `(a = 1 OR a = 2)` for each `a IN (1, 2)`.
fn spelled_out(sql: &str) -> String {
    const IN: &str = " IN (";
    let Some(at) = sql.find(IN) else { return sql.to_owned() };
    let (before, after) = (&sql[..at], &sql[at + IN.len()..]);
    let column_at = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    let (before, column) = before.split_at(column_at);
    let (list, after) = after.split_once(')').unwrap_or((after, ""));
    let equals: Vec<String> = list.split(',').map(|value| format!("{column} = {}", value.trim())).collect();
    format!("{before}({}){}", equals.join(" OR "), spelled_out(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_spelled_out() {
        assert_eq!(spelled_out("(a BIGINT NULL, CHECK (a IS NULL))"), "(a BIGINT NULL, CHECK (a IS NULL))");
        assert_eq!(
            spelled_out("(b_1 BIGINT CHECK (b_1 IN ('x', 'y')), CHECK ((c IN (0)) = (d IS NULL)))"),
            "(b_1 BIGINT CHECK ((b_1 = 'x' OR b_1 = 'y')), CHECK (((c = 0)) = (d IS NULL)))"
        );
    }
}
