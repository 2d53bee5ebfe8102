//! Whose tables a database holds, and of which version.

use ffleet_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};

use super::StoreError;

/// How a database lists its tables.
#[derive(Debug)]
pub(super) struct Tables(&'static str);

impl Tables {
    pub(super) const SQLITE: Self =
        Self("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    pub(super) const MARIADB: Self =
        Self("SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()");
    pub(super) const POSTGRES: Self = Self(
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = current_schema()",
    );
}

/// A newer coordinator may have changed the tables in ways that this one would undo, and another program's tables are not
/// ours to add to.
pub(super) async fn judge(place: &str, database: &DatabaseConnection, tables: &Tables) -> Result<(), StoreError> {
    let texts = async |statement: &str| -> Result<Vec<String>, DbErr> {
        let statement = Statement::from_string(database.get_database_backend(), statement);
        let rows = database.query_all_raw(statement).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    };
    let tables = texts(tables.0).await?;
    if tables.is_empty() {
        return Ok(());
    }
    if !tables.iter().any(|name| name == "seaql_migrations") {
        return Err(StoreError::Unavailable(format!(
            "{place} holds the tables of another program ({}); set database.url to a database of its own",
            tables[0]
        )));
    }
    let known = Migrator::migrations();
    let applied = texts("SELECT version FROM seaql_migrations ORDER BY version").await?;
    match applied.iter().find(|version| !known.iter().any(|known| known.name() == version.as_str())) {
        None => Ok(()),
        Some(newer) => Err(StoreError::Unavailable(format!(
            "{place} was used by a newer version of ffleet-coordinator (its tables have {newer}, which this one, {}, does \
             not know); install that version, or restore the copy of the database from before",
            env!("CARGO_PKG_VERSION")
        ))),
    }
}
