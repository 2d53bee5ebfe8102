//! From a database into a file.

use std::{collections::BTreeMap, io::Write};

use ffleet_protocol::Timestamp;
use ffleet_settings::SecretReaders;
use sea_orm::{DbErr, QueryResult, Value};

use super::{
    super::{StoreError, clock, kind::Kind, server::target, tables::missing},
    Doing, Progress, TransferError,
    format::{FORMAT, Header, Lines, WHAT},
    mark::is_unfinished,
    source::Source,
    tables::{Table, tables},
};
use crate::config::Database;

/// What was exported.
#[derive(Debug, Clone)]
pub struct Exported {
    /// When everything was as the file says.
    pub at: Timestamp,
    /// The rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// The SHA-256 that stands at the end of the file.
    pub sha256: String,
}

/// Writes everything that an installation has, as it is at one moment. Coordinators may go on meanwhile; what they do is not
/// in it.
///
/// # Errors
/// When the database cannot be read or holds no installation, or `out` cannot be written.
pub async fn export(
    database: &Database,
    readers: SecretReaders,
    out: &mut (dyn Write + Send),
    told: &mut dyn FnMut(Progress),
) -> Result<Exported, TransferError> {
    let place = place(database, readers).map_err(TransferError::doing("the database cannot be read"))?;
    let reading = format!("{place} cannot be read");
    let mut source = Source::open(database, readers).await.map_err(TransferError::doing(&reading))?;
    let schema = source.applied(&place).await.map_err(TransferError::doing(&reading))?;
    let lacking = missing(&schema);
    if let Some(change) = lacking.first() {
        return Err(TransferError::Refused(if schema.is_empty() {
            format!("{place} holds no installation; check `database.url`")
        } else {
            format!(
                "the tables of {place} are not up to date ({change} is missing); run `ffleet-coordinator migrate` first"
            )
        }));
    }
    let all = tables();
    let header = Header {
        ffleet: WHAT.to_owned(),
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        at: clock::own(),
        tables: all.iter().map(|table| (table.name.to_owned(), columns(table))).collect(),
    };
    refuse_unusable(&mut source, &place).await?;
    let mut lines = Lines::begin(out, &header).map_err(cannot_write)?;
    let mut rows = 0;
    for table in &all {
        copy(table, &mut source, &mut lines, &mut |more| {
            rows += more;
            told(Progress { doing: Doing::Exporting, table: table.name, rows, of: None });
        })
        .await?;
    }
    let footer = lines.end().map_err(cannot_write)?;
    source.close().await.map_err(TransferError::doing(&reading))?;
    Ok(Exported { at: header.at, rows: footer.rows, sha256: footer.sha256 })
}

/// Where the database is, for people.
pub(super) fn place(database: &Database, readers: SecretReaders) -> Result<String, StoreError> {
    match database.file() {
        Some(path) => Ok(path.display().to_string()),
        None => Ok(target(database, readers)?.place()),
    }
}

/// What could not be imported is not exported.
async fn refuse_unusable(source: &mut Source, place: &str) -> Result<(), TransferError> {
    let found = source.rows("SELECT fingerprint FROM installation WHERE id = 1", Vec::new()).await;
    let found = found.map_err(TransferError::doing(format!("{place}: the table installation cannot be read")))?;
    let fingerprint = found.first().map(|row| row.try_get_by_index::<Vec<u8>>(0)).transpose();
    match fingerprint.map_err(|error| unreadable("installation", error))? {
        None => Err(TransferError::Refused(format!(
            "{place} holds no installation: no coordinator has served it yet; check `database.url`"
        ))),
        Some(fingerprint) if is_unfinished(&fingerprint) => Err(TransferError::Refused(format!(
            "{place} holds an import that is under way or was not finished; finish it first, with \
             `ffleet-coordinator import FILE --anew`"
        ))),
        Some(_) => Ok(()),
    }
}

/// Page by page, each found by the last key of the one before, so that a page costs the same wherever it is.
async fn copy(
    table: &Table,
    source: &mut Source,
    lines: &mut Lines<'_>,
    told: &mut dyn FnMut(u64),
) -> Result<(), TransferError> {
    let order = table.order(source.backend());
    let mut last: Option<Vec<Value>> = None;
    loop {
        let (sql, values) = table.page(source.backend(), last.as_deref());
        let page = source.rows(&sql, values).await;
        let page = page.map_err(TransferError::doing(format!("the table {} cannot be read", table.name)))?;
        for row in &page {
            let values = read(row, 0, table.kinds.iter().copied()).map_err(|error| unreadable(table.name, error))?;
            lines.row(table.name, &values).map_err(cannot_write)?;
        }
        told(page.len() as u64);
        match page.last() {
            Some(row) if page.len() == table.page => {
                let key = read(row, table.columns.len(), order.iter().map(|(_, kind)| *kind));
                last = Some(key.map_err(|error| unreadable(table.name, error))?);
            }
            Some(_) | None => return Ok(()),
        }
    }
}

/// The values of such columns, from this place of a row on.
pub(super) fn read(row: &QueryResult, from: usize, kinds: impl Iterator<Item = Kind>) -> Result<Vec<Value>, DbErr> {
    kinds.enumerate().map(|(index, kind)| kind.read(row, from + index)).collect()
}

fn columns(table: &Table) -> Vec<String> {
    table.columns.iter().map(|column| (*column).to_owned()).collect()
}

fn unreadable(table: &str, error: DbErr) -> TransferError {
    TransferError::doing(format!("a row of the table {table} cannot be read"))(error.into())
}

fn cannot_write(cause: std::io::Error) -> TransferError {
    TransferError::Io { what: "what is exported cannot be written".to_owned(), cause }
}
