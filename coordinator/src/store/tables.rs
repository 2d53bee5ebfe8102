//! Whose tables a database holds, and of which version.

use ffleet_migrations::{Migrator, MigratorTrait, breaks};
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

/// Tables beside the changes that this version knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    /// Changes that are missing.
    pub(super) missing: Vec<String>,
    /// Changes of a newer version, with which this one can work.
    pub(super) newer: Vec<String>,
}

/// Refuses tables that are not ours to touch; says how they stand to this version.
pub(super) async fn judge(
    place: &str,
    database: &impl ConnectionTrait,
    tables: &Tables,
) -> Result<Versions, StoreError> {
    let texts = async |statement: &str| -> Result<Vec<String>, DbErr> {
        let statement = Statement::from_string(database.get_database_backend(), statement);
        let rows = database.query_all_raw(statement).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    };
    if !ours(place, &texts(tables.0).await?).map_err(Finding::refusal)? {
        return Ok(Versions { missing: changes(), newer: Vec::new() });
    }
    versions(place, &texts(APPLIED).await?).map_err(Finding::refusal)
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

/// How tables with these changes stand to this version. While an installation is brought up to date, coordinators of the
/// version before are started on tables of the new one; that is well as long as the new version has only added to them.
pub(super) fn versions(place: &str, applied: &[String]) -> Result<Versions, Finding> {
    let known = changes();
    let newer: Vec<String> = applied.iter().filter(|change| !known.contains(change)).cloned().collect();
    let missing = missing(applied);
    let cannot = |what: String| {
        let version = env!("CARGO_PKG_VERSION");
        Err(Finding::fatal(
            format!("{place} was used by a newer version of ffleet-coordinator: {what} this one, {version}"),
            "install that version, or restore the copy of the database from before",
        ))
    };
    if let Some(change) = newer.iter().find(|change| breaks(change)) {
        return cannot(format!("its tables have {change}, which is not for older ones such as"));
    }
    match (newer.first(), missing.first()) {
        (Some(newer), Some(missing)) => {
            cannot(format!("its tables have {newer} but not {missing}; they were never those of a version after"))
        }
        _ => Ok(Versions { missing, newer }),
    }
}

/// Says that these tables are ahead of this version. Nothing has to be done to them; soon everybody should be of one version.
pub(super) fn tell_newer(place: &str, newer: &[String]) {
    tracing::info!(
        place,
        newer = newer.join(", "),
        "the tables are those of a newer version, with which this one, {}, can work; bring it up to date as well",
        env!("CARGO_PKG_VERSION")
    );
}

/// Every change of the tables that this version knows, in order.
pub(super) fn changes() -> Vec<String> {
    Migrator::migrations().iter().map(|change| change.name().to_owned()).collect()
}

/// Those of them that are not among these.
pub(super) fn missing(applied: &[String]) -> Vec<String> {
    changes().into_iter().filter(|change| !applied.contains(change)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_a_newer_version_are_judged_by_what_it_did_to_them() {
        let with = |more: &[&str]| [changes(), more.iter().map(|name| (*name).to_owned()).collect()].concat();
        assert_eq!(versions("here", &with(&[])).unwrap(), Versions::default());
        let later = versions("here", &with(&["m9998_more", "m9999_tomorrow"])).unwrap();
        assert_eq!((later.missing.len(), later.newer), (0, vec!["m9998_more".to_owned(), "m9999_tomorrow".to_owned()]));
        let earlier = versions("here", &changes()[..2]).unwrap();
        assert_eq!((earlier.missing.len(), earlier.newer.len()), (changes().len() - 2, 0));
        let refused = |applied: &[String]| versions("here", applied).unwrap_err();
        let broken = refused(&with(&["m9998_more", "m9999_break_tomorrow"]));
        assert!(broken.fatal && broken.what.contains("newer version") && broken.what.contains("m9999_break_tomorrow"));
        let another = refused(&["m0001_core".to_owned(), "m9999_tomorrow".to_owned()]);
        assert!(another.what.contains("m9999_tomorrow but not m0002_ends"), "{another:?}");
    }
}
