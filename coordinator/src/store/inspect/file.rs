//! A look at a database of SQLite.

use std::path::Path;

use nix::unistd::{AccessFlags, access};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement};

use super::{
    super::{Finding, StoreError, open, tables::Tables},
    Asked, Inspection, tables, unreadable,
};
use crate::config::Database;

impl Asked for DatabaseConnection {
    async fn rows(&mut self, sql: &str) -> Result<Vec<QueryResult>, StoreError> {
        Ok(self.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?)
    }

    fn tables(&self) -> Tables {
        Tables::of(DbBackend::Sqlite)
    }
}

pub(super) async fn look(database: &Database, seen: &mut Inspection) -> Result<(), Finding> {
    let name = open::named(&database.url).map_err(unreadable)?;
    let path = Path::new(name);
    seen.place = path.display().to_string();
    seen.server = format!("SQLite {}", rusqlite::version());
    open::refuse_network_filesystem(path)?;
    if !path.exists() {
        return Err(Finding::danger(
            format!("{name} is not there yet"),
            "run `ffleet-coordinator migrate`, or start a coordinator: both make it; or set database.url to another place",
        ));
    }
    open::refuse_other_files(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for (place, what) in [(path, "the file"), (folder, "the folder, where SQLite keeps further files,")] {
        if let Err(error) = access(place, AccessFlags::R_OK | AccessFlags::W_OK) {
            return Err(Finding::fatal(
                format!("{what} {} cannot be written by this user: {error}", place.display()),
                "run this as the user that the coordinator runs as, or let this user write there",
            ));
        }
    }
    let mut looking = open::looking(name).await.map_err(unreadable)?;
    let done = whole(&mut looking, seen).await;
    drop(looking.close().await);
    done
}

/// Whether the file is whole, and whose tables are in it.
async fn whole(looking: &mut DatabaseConnection, seen: &mut Inspection) -> Result<(), Finding> {
    let said = looking.texts("PRAGMA quick_check(10)").await.map_err(unreadable)?;
    if said != ["ok"] {
        return Err(Finding::fatal(
            format!("the file is damaged: {}", said.join("; ")),
            "stop the coordinator and restore a copy, or save what can be read with `sqlite3 FILE .recover`",
        ));
    }
    tables(looking, seen).await
}
