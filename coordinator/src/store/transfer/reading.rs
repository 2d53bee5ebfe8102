//! Reads the file line by line. Whoever has come to its end knows that it is whole: what was read is what was counted and
//! added up when it was written.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use sea_orm::Value;
use sha2::{Digest, Sha256};

use super::{
    super::tables::changes,
    TransferError,
    format::{FORMAT, Footer, Header, ROW, RowLine, WHAT, from_json, hexadecimal},
    tables::{Table, tables},
};

/// A longer line is none of ours: a row of output has some 100 KiB, a command at most 1 MiB.
const LINE: u64 = 64 * 1024 * 1024;

/// A file that is being read.
pub(super) struct Reading {
    file: PathBuf,
    lines: BufReader<File>,
    header: Header,
    tables: Vec<Table>,
    /// By table, the place that each of its columns has in the file's rows, if it has one.
    places: Vec<Vec<Option<usize>>>,
    digest: Sha256,
    rows: BTreeMap<String, u64>,
    line: Vec<u8>,
    /// The number of that line.
    number: u64,
}

/// A row: which of the tables it is of, and what its columns hold.
pub(super) struct Row {
    pub(super) table: usize,
    pub(super) values: Vec<Value>,
}

impl Reading {
    /// Reads what the file is.
    pub(super) fn open(path: &Path) -> Result<Self, TransferError> {
        let file = File::open(path).map_err(|cause| cannot_read(path, cause))?;
        let tables = tables();
        let mut reading = Self {
            file: path.to_owned(),
            lines: BufReader::with_capacity(1 << 16, file),
            header: Header {
                ffleet: WHAT.to_owned(),
                format: FORMAT,
                version: String::new(),
                schema: Vec::new(),
                at: ffleet_protocol::Timestamp::UNIX_EPOCH,
                tables: BTreeMap::new(),
            },
            places: Vec::new(),
            tables,
            digest: Sha256::new(),
            rows: BTreeMap::new(),
            line: Vec::new(),
            number: 0,
        };
        reading.next_line()?;
        reading.header = reading.parse_header()?;
        reading.digest.update(&reading.line);
        reading.places = reading.places()?;
        reading.rows = reading.header.tables.keys().map(|table| (table.clone(), 0)).collect();
        Ok(reading)
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// How many rows of each table were read.
    pub(super) fn rows(&self) -> &BTreeMap<String, u64> {
        &self.rows
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next row. `None` at the end of a file that is whole.
    pub(super) fn row(&mut self) -> Result<Option<Row>, TransferError> {
        self.next_line()?;
        if !self.line.starts_with(ROW) {
            return self.end().map(|()| None);
        }
        self.digest.update(&self.line);
        let RowLine { t, r } = serde_json::from_slice(&self.line).map_err(|error| self.damaged(None, &error))?;
        let known = self.tables.iter().position(|table| table.name == t);
        let (Some(table), Some(columns)) = (known, self.header.tables.get(&t)) else {
            return Err(self.bad(Some(&t), "the first line has no such table"));
        };
        if r.len() != columns.len() {
            return Err(self.bad(Some(&t), format!("{} values for {} columns", r.len(), columns.len())));
        }
        let values = self.values(table, r).map_err(|why| self.damaged(Some(&t), &why))?;
        if let Some(rows) = self.rows.get_mut(&t) {
            *rows += 1;
        }
        Ok(Some(Row { table, values }))
    }

    /// The values in the order of our columns. What an older version's rows do not have yet holds nothing.
    fn values(&self, table: usize, mut values: Vec<serde_json::Value>) -> Result<Vec<Value>, String> {
        let (Some(of), Some(places)) = (self.tables.get(table), self.places.get(table)) else {
            return Err("no such table".to_owned());
        };
        let columns = of.columns.iter().zip(of.kinds).zip(places);
        let read = columns.map(|((column, kind), place)| match place.and_then(|place| values.get_mut(place)) {
            Some(value) => from_json(*kind, value.take()).map_err(|why| format!("the column {column} {why}")),
            None => Ok(kind.null()),
        });
        read.collect()
    }

    fn next_line(&mut self) -> Result<(), TransferError> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.lines).take(LINE).read_until(b'\n', &mut self.line);
        read.map_err(|cause| cannot_read(&self.file, cause))?;
        if self.line.ends_with(b"\n") {
            return Ok(());
        }
        Err(match self.line.len() as u64 {
            LINE => self.bad(None, "the line is too long: this is no export of ffleet"),
            0 if self.number == 1 => self.bad(None, "the file is empty; name a file that `export` has written"),
            _ => self.bad(None, "the file ends before its end: it was cut; copy or export it again"),
        })
    }

    fn parse_header(&self) -> Result<Header, TransferError> {
        let not_ours = || self.bad(None, "this is no export of ffleet; name a file that `export` has written");
        let begin: serde_json::Value = serde_json::from_slice(&self.line).map_err(|_| not_ours())?;
        if begin.get("ffleet").and_then(serde_json::Value::as_str) != Some(WHAT) {
            return Err(not_ours());
        }
        let text = |key: &str| begin.get(key).map(|value| value.to_string().replace('"', "")).unwrap_or_default();
        let (format, version) = (text("format"), text("version"));
        if format != FORMAT.to_string() {
            return Err(self.bad(
                None,
                format!(
                    "the file has format {format}, which this version, {}, does not know; import it with version {version}, \
                     which has written it",
                    env!("CARGO_PKG_VERSION")
                ),
            ));
        }
        let header: Header = serde_json::from_value(begin).map_err(|error| self.damaged(None, &error))?;
        let known = changes();
        match header.schema.iter().find(|change| !known.contains(change)) {
            None => Ok(header),
            Some(newer) => Err(self.bad(
                None,
                format!(
                    "the file comes from version {version}, whose tables have {newer}, which this one, {}, does not know; \
                     import it with that version",
                    env!("CARGO_PKG_VERSION")
                ),
            )),
        }
    }

    /// Changes of the tables only ever add (see `ffleet-migrations`): rows of an older version lack columns, and that is
    /// all there is to it.
    fn places(&self) -> Result<Vec<Vec<Option<usize>>>, TransferError> {
        for (name, columns) in &self.header.tables {
            let Some(table) = self.tables.iter().find(|table| table.name == name) else {
                return Err(self.bad(Some(name), "there is no such table"));
            };
            if let Some(other) = columns.iter().find(|column| !table.columns.contains(&column.as_str())) {
                return Err(self.bad(Some(name), format!("there is no column {other}")));
            }
            let mut lacking = table
                .columns
                .iter()
                .zip(table.kinds)
                .filter(|(column, kind)| !kind.optional && !columns.iter().any(|name| name == *column));
            if let Some((column, _)) = lacking.next() {
                return Err(self.bad(Some(name), format!("the column {column} is missing")));
            }
        }
        let places = self.tables.iter().map(|table| {
            let columns = self.header.tables.get(table.name).map_or(&[][..], Vec::as_slice);
            table.columns.iter().map(|column| columns.iter().position(|name| name == column)).collect()
        });
        Ok(places.collect())
    }

    /// The last line, and nothing behind it.
    fn end(&mut self) -> Result<(), TransferError> {
        let last: Footer = serde_json::from_slice(&self.line).map_err(|error| self.damaged(None, &error))?;
        if last.sha256 != hexadecimal(&self.digest) {
            return Err(
                self.bad(None, "the lines before are not those that were written (SHA-256); copy or export it again")
            );
        }
        if last.rows != self.rows {
            return Err(self.bad(None, "the rows before are not those that were counted; copy or export it again"));
        }
        let mut more = [0];
        match self.lines.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.bad(None, "there is more behind the last line; copy or export it again")),
            Err(cause) => Err(cannot_read(&self.file, cause)),
        }
    }

    fn damaged(&self, table: Option<&str>, why: &dyn std::fmt::Display) -> TransferError {
        self.bad(table, format!("{why}; the file was changed or damaged: copy or export it again"))
    }

    pub(super) fn bad(&self, table: Option<&str>, why: impl Into<String>) -> TransferError {
        TransferError::File {
            file: self.file.clone(),
            line: self.number,
            table: table.map(str::to_owned),
            why: why.into(),
        }
    }
}

fn cannot_read(path: &Path, cause: std::io::Error) -> TransferError {
    TransferError::Io { what: format!("{} cannot be read", path.display()), cause }
}
