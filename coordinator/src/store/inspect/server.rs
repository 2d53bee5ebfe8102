//! A look at a database of a server: what its settings promise, and what this user may do.

use ffleet_settings::SecretReaders;
use sea_orm::{DbBackend, QueryResult};

use super::{
    super::{
        Finding, StoreError,
        server::{Link, Nature, Purpose, Settings, connected, failed, nature, target},
        tables::Tables,
        transfer,
    },
    Asked, Inspection, tables, unreadable,
};
use crate::config::Database;

impl Asked for Link {
    async fn rows(&mut self, sql: &str) -> Result<Vec<QueryResult>, StoreError> {
        Self::rows(self, sql, Vec::new()).await.map_err(failed)
    }

    fn tables(&self) -> Tables {
        Tables::of(match self {
            Self::MySql(_) => DbBackend::MySql,
            Self::Postgres(_) => DbBackend::Postgres,
        })
    }
}

pub(super) async fn look(database: &Database, readers: SecretReaders, seen: &mut Inspection) -> Result<(), Finding> {
    let target = target(database, readers).map_err(|error| {
        Finding::fatal(error.to_string(), "correct `database` in the configuration; `--check-config` shows it")
    })?;
    seen.place = target.place();
    let mut link = connected(&target, Purpose::Plain).await?;
    let settings = Settings::read(&mut link).await.map_err(|error| unreadable(failed(error)))?;
    seen.server = settings.server();
    seen.cluster = settings.cluster();
    seen.findings = settings.findings();
    if seen.findings.iter().any(|finding| finding.fatal) {
        return Ok(());
    }
    tables(&mut link, seen).await?;
    if seen.up_to_date {
        may_write(&mut link, seen).await?;
    }
    may_change_tables(&mut link, seen).await;
    // What was to be asked is answered.
    drop(link.close().await);
    Ok(())
}

/// Has the server judge statements that meet no row: it says whether they may be run, and they change nothing.
async fn may_write(link: &mut Link, seen: &mut Inspection) -> Result<(), Finding> {
    for verb in ["INSERT", "UPDATE", "DELETE"] {
        let (mut refused, mut why) = (Vec::new(), String::new());
        for table in transfer::tables() {
            let (name, columns) = (table.name, table.columns.join(", "));
            let first = table.columns.first().copied().unwrap_or_default();
            let sql = match verb {
                "INSERT" => format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM {name} WHERE 1 = 0"),
                "UPDATE" => format!("UPDATE {name} SET {first} = {first} WHERE 1 = 0"),
                _ => format!("DELETE FROM {name} WHERE 1 = 0"),
            };
            match link.plain(&sql).await {
                Ok(()) => {}
                Err(error) if nature(&error) == Nature::Lost => return Err(unreadable(failed(error))),
                Err(error) => {
                    refused.push(name);
                    why = error.to_string();
                }
            }
        }
        if !refused.is_empty() {
            seen.findings.push(Finding::fatal(
                format!("this user may not {verb} in {}: {why}", refused.join(", ")),
                "grant it SELECT, INSERT, UPDATE and DELETE on all tables of the database",
            ));
        }
    }
    Ok(())
}

/// What this user has been granted for the database as a whole. With roles in play it cannot be told like this.
const MARIADB: &str = "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE CURRENT_ROLE() IS NULL AND \
    GRANTEE = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), \
    '''') UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE CURRENT_ROLE() IS NULL AND \
    DATABASE() LIKE TABLE_SCHEMA AND GRANTEE = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', \
    SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";
/// What migrations do, besides what a coordinator does all the time. The list of those that were made is itself a table that
/// every start makes if it is not there.
const CHANGING: [&str; 3] = ["CREATE", "ALTER", "INDEX"];

/// Whether the next version could bring its tables up to date. A server that does not answer this has not said no.
async fn may_change_tables(link: &mut Link, seen: &mut Inspection) {
    let lacking = match link {
        Link::MySql(_) => {
            let granted = link.texts(MARIADB).await.unwrap_or_default();
            let lacking: Vec<_> =
                CHANGING.into_iter().filter(|right| !granted.iter().any(|has| has == right)).collect();
            // `USAGE` is what somebody has who has nothing; an empty list says that it could not be told.
            if granted.is_empty() { String::new() } else { lacking.join(", ") }
        }
        Link::Postgres(_) => {
            let may = "SELECT CAST(has_schema_privilege(current_schema(), 'CREATE') AS TEXT)";
            let may = link.texts(may).await.unwrap_or_default();
            let others = "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() AND NOT \
                          pg_has_role(tableowner, 'USAGE')";
            let mut others = link.texts(others).await.unwrap_or_default();
            others.retain(|name| transfer::tables().iter().any(|table| table.name == name));
            match (may.first().map(String::as_str), others.is_empty()) {
                (Some("false"), _) => "CREATE in its schema".to_owned(),
                (_, false) => format!("ownership of {}", others.join(", ")),
                (_, true) => String::new(),
            }
        }
    };
    if !lacking.is_empty() {
        seen.findings.push(Finding::danger(
            format!("this user lacks {lacking}: a new version could not bring the tables up to date"),
            "grant it, or run `ffleet-coordinator migrate` of a new version as a user that has it",
        ));
    }
}
