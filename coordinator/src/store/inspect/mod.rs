//! What can be said of a database without changing anything in it.

mod file;
mod server;
#[cfg(test)]
mod tests;

use ffleet_settings::SecretReaders;
use sea_orm::{DbErr, QueryResult};

use super::{
    Cluster, Finding, StoreError,
    tables::{APPLIED, Tables, Versions, changes, ours, versions},
};
use crate::config::Database;

/// What a look at a database has shown.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// Where it is.
    pub place: String,
    /// The server, or the library, and its version; empty if it could not be asked.
    pub server: String,
    /// The cluster, if the server is part of one.
    pub cluster: Option<Cluster>,
    /// Whether its tables are those of this version, or of a newer one with which it can work.
    pub up_to_date: bool,
    /// The changes of the tables that are missing.
    pub missing: Vec<String>,
    /// The changes of the tables that a newer version has made, with which this one can work.
    pub newer: Vec<String>,
    /// What the installation knows its master key by; `None` before a coordinator has served it.
    pub fingerprint: Option<Vec<u8>>,
    /// Which master keys the keys of accounts are sealed with, and how many.
    pub sealed: Vec<(String, i64)>,
    /// What endangers a promise.
    pub findings: Vec<Finding>,
}

/// Looks at a database. What keeps it from being used is a finding like others.
pub async fn inspect(database: &Database, readers: SecretReaders) -> Inspection {
    let mut seen = Inspection::default();
    let looked = if database.is_server() {
        server::look(database, readers, &mut seen).await
    } else {
        file::look(database, &mut seen).await
    };
    if let Err(finding) = looked {
        seen.findings.push(finding);
    }
    seen
}

/// Somewhere that answers questions.
trait Asked {
    /// The rows that a statement gives.
    async fn rows(&mut self, sql: &str) -> Result<Vec<QueryResult>, StoreError>;
    /// How its tables are listed.
    fn tables(&self) -> Tables;

    /// The first column of the rows that a statement gives.
    async fn texts(&mut self, sql: &str) -> Result<Vec<String>, StoreError> {
        let rows = self.rows(sql).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
    }
}

/// Whose tables there are, and, when they are ours and up to date, whose installation it is.
async fn tables(asked: &mut impl Asked, seen: &mut Inspection) -> Result<(), Finding> {
    let list = asked.tables().0;
    let found = asked.texts(list).await.map_err(unreadable)?;
    let mut applied = Vec::new();
    if ours(&seen.place, &found)? {
        applied = asked.texts(APPLIED).await.map_err(unreadable)?;
    }
    Versions { missing: seen.missing, newer: seen.newer } = versions(&seen.place, &applied)?;
    if !seen.missing.is_empty() {
        let what = if seen.missing.len() == changes().len() {
            "there are no tables yet".to_owned()
        } else {
            format!("the tables are not up to date: {} is missing", seen.missing.join(", "))
        };
        seen.findings.push(Finding::danger(
            what,
            "run `ffleet-coordinator migrate`; a coordinator of this version does the same when it starts",
        ));
        return Ok(());
    }
    seen.up_to_date = true;
    let mark = asked.rows("SELECT fingerprint FROM installation WHERE id = 1").await.map_err(unreadable)?;
    seen.fingerprint = mark.first().map(|row| row.try_get_by_index(0)).transpose().map_err(illegible)?;
    let sealed = "SELECT master_key_id, COUNT(*) FROM account_keys GROUP BY master_key_id ORDER BY master_key_id";
    let sealed = asked.rows(sealed).await.map_err(unreadable)?;
    let sealed = sealed.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    seen.sealed = sealed.collect::<Result<_, DbErr>>().map_err(illegible)?;
    Ok(())
}

fn unreadable(error: StoreError) -> Finding {
    let error = anyhow::Error::from(error);
    Finding::fatal(format!("the database cannot be read: {error:#}"), "check what it says, and that this user may read")
}

fn illegible(error: DbErr) -> Finding {
    unreadable(error.into())
}
