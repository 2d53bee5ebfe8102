//! Whose tables a database holds, and of which version.

use ffleet_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{StoreError, server::Finding};

/// How a database lists its tables.
#[derive(Debug)]
pub(super) struct Tables(pub(super) &'static str);

impl Tables {
    pub(super) fn of(backend: DbBackend) -> Self {
        Self(match backend {
            DbBackend::MySql => {
                "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
            }
            DbBackend::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = \
                 current_schema()"
            }
            _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        })
    }
}

/// Which changes of the tables were made.
pub(super) const APPLIED: &str = "SELECT version FROM seaql_migrations ORDER BY version";

/// Refuses tables that are not ours to touch; says which changes of ours were made.
pub(super) async fn judge(
    place: &str,
    database: &impl ConnectionTrait,
    tables: &Tables,
) -> Result<Vec<String>, StoreError> {
    let texts = async |statement: &str| -> Result<Vec<String>, DbErr> {
        let statement = Statement::from_string(database.get_database_backend(), statement);
        let rows = database.query_all_raw(statement).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    };
    if !ours(place, &texts(tables.0).await?).map_err(Finding::refusal)? {
        return Ok(Vec::new());
    }
    let applied = texts(APPLIED).await?;
    known(place, &applied).map_err(Finding::refusal)?;
    Ok(applied)
}

/// Whether these are our tables; not if there are none. Another program's tables are not ours to add to.
pub(super) fn ours(place: &str, tables: &[String]) -> Result<bool, Finding> {
    match tables.first() {
        None => Ok(false),
        Some(_) if tables.iter().any(|name| name == "seaql_migrations") => Ok(true),
        Some(other) => Err(Finding::fatal(
            format!("{place} holds the tables of another program ({other})"),
            "set database.url to a database of its own",
        )),
    }
}

/// A newer coordinator may have changed the tables in ways that this one would undo.
pub(super) fn known(place: &str, applied: &[String]) -> Result<(), Finding> {
    let known = changes();
    match applied.iter().find(|version| !known.contains(version)) {
        None => Ok(()),
        Some(newer) => Err(Finding::fatal(
            format!(
                "{place} was used by a newer version of ffleet-coordinator (its tables have {newer}, which this one, {}, \
                 does not know)",
                env!("CARGO_PKG_VERSION")
            ),
            "install that version, or restore the copy of the database from before",
        )),
    }
}

/// Every change of the tables that this version knows, in order.
pub(super) fn changes() -> Vec<String> {
    Migrator::migrations().iter().map(|change| change.name().to_owned()).collect()
}

/// Those of them that are not among these.
pub(super) fn missing(applied: &[String]) -> Vec<String> {
    changes().into_iter().filter(|change| !applied.contains(change)).collect()
}
