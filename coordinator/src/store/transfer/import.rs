//! From a file into a database.
//!
//! The file is read twice: first to its end, so that nothing is written of one that was cut or changed; then row by row. While
//! rows are written, the row of the installation has a [`mark`](super::mark) in the place of its fingerprint, so that no
//! coordinator serves half of an installation, and no two imports mix. It is the last that becomes what the file says.

use std::{collections::BTreeMap, path::Path};

use ffleet_protocol::Timestamp;
use ffleet_settings::SecretReaders;
use sea_orm::Value;

use super::{
    super::{
        migrate,
        row::{self, Row as _},
        server::{inserted_values, weight},
    },
    Doing, Progress, TransferError,
    export::place,
    reading::Reading,
    sink::Sink,
    target::Target,
};
use crate::config::Database;

/// Rows and bytes of one transaction.
const ROWS: usize = 1_000;
const BYTES: usize = 4 * 1024 * 1024;

/// What was imported.
#[derive(Debug, Clone)]
pub struct Imported {
    /// When everything was as the file says.
    pub at: Timestamp,
    /// The version that has written the file.
    pub version: String,
    /// The rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// What the installation knows its master key by.
    pub fingerprint: Vec<u8>,
}

/// Makes the database, which must hold nothing of an installation, into what the file says. `anew` also takes one in which
/// an import was not finished, and empties it first.
///
/// # Errors
/// When the file is not whole or of a newer version, when the database holds something, or when it cannot be written. An
/// import that has begun to write and fails leaves a database that no coordinator serves, and that `anew` takes.
pub async fn import(
    database: &Database,
    readers: SecretReaders,
    file: &Path,
    anew: bool,
    told: &mut dyn FnMut(Progress),
) -> Result<Imported, TransferError> {
    let installation = verify(file, told)?;
    let place = place(database, readers).map_err(TransferError::doing("the database cannot be used"))?;
    let using = format!("{place} cannot be used");
    migrate(database, readers).await.map_err(TransferError::doing(&using))?;
    let sink = Sink::open(database, readers).await.map_err(TransferError::doing(&using))?;
    let mut target = Target::take(sink, &place, anew, told).await?;
    let imported = Box::pin(fill(&mut target, file, &installation, told)).await?;
    target.close().await.map_err(TransferError::doing(&using))?;
    Ok(imported)
}

/// The row of the installation, which is written last.
struct Installation {
    fingerprint: Value,
    created_at: Value,
    /// All rows that the file has.
    rows: u64,
}

/// Reads the file to its end.
fn verify(file: &Path, told: &mut dyn FnMut(Progress)) -> Result<Installation, TransferError> {
    let mut reading = Reading::open(file)?;
    let mut found = None;
    let mut rows = 0;
    while let Some(row) = reading.row()? {
        rows += 1;
        let table = reading.tables().get(row.table).map_or("", |table| table.name);
        if table == row::installation::Model::TABLE {
            let [_, fingerprint, created_at] = row.values.as_slice() else {
                return Err(reading.bad(Some(table), "it has other columns than expected"));
            };
            if found.replace((fingerprint.clone(), created_at.clone())).is_some() {
                return Err(reading.bad(Some(table), "there is more than one installation"));
            }
        }
        if rows % ROWS as u64 == 0 {
            told(Progress { doing: Doing::Verifying, table, rows, of: None });
        }
    }
    let (fingerprint, created_at) =
        found.ok_or_else(|| reading.bad(Some(row::installation::Model::TABLE), "there is no installation"))?;
    Ok(Installation { fingerprint, created_at, rows })
}

/// Writes all rows, and the installation at last.
async fn fill(
    target: &mut Target,
    file: &Path,
    installation: &Installation,
    told: &mut dyn FnMut(Progress),
) -> Result<Imported, TransferError> {
    let mut reading = Reading::open(file)?;
    let mut batch = Batch::default();
    let mut rows = 0;
    while let Some(row) = reading.row()? {
        rows += 1;
        let Some(table) = reading.tables().get(row.table) else { continue };
        if table.name == row::installation::Model::TABLE {
            continue;
        }
        if batch.table != Some(row.table) || batch.rows.len() >= ROWS || batch.bytes >= BYTES {
            write(target, &mut batch, &reading).await?;
            told(Progress { doing: Doing::Importing, table: table.name, rows, of: Some(installation.rows) });
        }
        batch.table = Some(row.table);
        batch.bytes += row.values.iter().map(weight).sum::<usize>();
        batch.rows.push(row.values);
    }
    write(target, &mut batch, &reading).await?;
    target.finish(&installation.fingerprint, &installation.created_at).await?;
    let header = reading.header();
    let fingerprint = match &installation.fingerprint {
        Value::Bytes(Some(bytes)) => bytes.clone(),
        _ => Vec::new(),
    };
    Ok(Imported { at: header.at, version: header.version.clone(), rows: reading.rows().clone(), fingerprint })
}

/// Rows of one table that go together.
#[derive(Default)]
struct Batch {
    table: Option<usize>,
    rows: Vec<Vec<Value>>,
    bytes: usize,
}

async fn write(target: &mut Target, batch: &mut Batch, reading: &Reading) -> Result<(), TransferError> {
    let table = batch.table.and_then(|table| reading.tables().get(table));
    let Some(table) = table.filter(|_| !batch.rows.is_empty()) else { return Ok(()) };
    let steps = inserted_values(table.name, table.columns, &batch.rows);
    (batch.rows, batch.bytes) = (Vec::new(), 0);
    target.write(steps, &format!("rows of {} before line {}", table.name, reading.number())).await
}
