//! The lines of the file: what it is, then a line for each row, then what must have come before.

use std::{collections::BTreeMap, io::Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use ffleet_protocol::Timestamp;
use sea_orm::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::kind::{Holds, Kind};

/// The format that is written and read here.
pub(super) const FORMAT: u32 = 1;
/// What the first line says that the file is.
pub(super) const WHAT: &str = "export";
/// How the line of a row begins, and the last line does not.
pub(super) const ROW: &[u8] = b"{\"t\":";

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) ffleet: String,
    pub(super) format: u32,
    /// The version that has written it.
    pub(super) version: String,
    /// The changes of the tables that were made where it comes from.
    pub(super) schema: Vec<String>,
    /// When everything was so.
    pub(super) at: Timestamp,
    /// The columns of each table, in the order in which its rows have them.
    pub(super) tables: BTreeMap<String, Vec<String>>,
}

/// The line of a row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowLine {
    pub(super) t: String,
    pub(super) r: Vec<serde_json::Value>,
}

/// The same to be written.
#[derive(Debug, Serialize)]
struct Written<'a> {
    t: &'a str,
    r: Vec<serde_json::Value>,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Footer {
    /// The rows of each table.
    pub(super) rows: BTreeMap<String, u64>,
    /// The SHA-256 of all lines before, in hexadecimal digits.
    pub(super) sha256: String,
}

/// Writes the lines, and remembers what the last one has to say.
pub(super) struct Lines<'a> {
    out: &'a mut (dyn Write + Send),
    digest: Sha256,
    rows: BTreeMap<String, u64>,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(super) fn begin(out: &'a mut (dyn Write + Send), header: &Header) -> std::io::Result<Self> {
        let rows = header.tables.keys().map(|table| (table.clone(), 0)).collect();
        let mut lines = Self { out, digest: Sha256::new(), rows, line: Vec::new() };
        lines.line(header)?;
        Ok(lines)
    }

    /// A row of a table.
    pub(super) fn row(&mut self, table: &str, values: &[Value]) -> std::io::Result<()> {
        self.line(&Written { t: table, r: values.iter().map(to_json).collect() })?;
        if let Some(rows) = self.rows.get_mut(table) {
            *rows += 1;
        }
        Ok(())
    }

    /// The last line; says what it says.
    pub(super) fn end(mut self) -> std::io::Result<Footer> {
        let footer = Footer { rows: std::mem::take(&mut self.rows), sha256: hexadecimal(&self.digest) };
        self.line(&footer)?;
        self.out.flush()?;
        Ok(footer)
    }

    fn line(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.digest.update(&self.line);
        self.out.write_all(&self.line)
    }
}

/// What has been added up, without an end to it.
pub(super) fn hexadecimal(digest: &Sha256) -> String {
    digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value as the file has it: bytes in base64, ids as they are usually written.
fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::BigInt(Some(number)) => (*number).into(),
        Value::String(Some(text)) => text.as_str().into(),
        Value::Bytes(Some(bytes)) => STANDARD.encode(bytes).into(),
        Value::Uuid(Some(id)) => id.to_string().into(),
        // `Kind` knows no others, and these are of nothing.
        _ => serde_json::Value::Null,
    }
}

/// The value of such a column.
pub(super) fn from_json(kind: Kind, value: serde_json::Value) -> Result<Value, String> {
    use serde_json::Value as Json;
    match (kind.holds, value) {
        (_, Json::Null) if kind.optional => Ok(kind.null()),
        (_, Json::Null) => Err("must not be null".to_owned()),
        (Holds::Number, Json::Number(number)) => {
            let whole = number.as_i64().ok_or_else(|| format!("{number} is no whole number of 64 bits"))?;
            Ok(whole.into())
        }
        (Holds::Text, Json::String(text)) => Ok(text.into()),
        (Holds::Bytes, Json::String(text)) => {
            STANDARD.decode(text).map(Value::from).map_err(|error| format!("is no base64: {error}"))
        }
        (Holds::Id, Json::String(text)) => {
            uuid::Uuid::parse_str(&text).map(Value::from).map_err(|error| format!("is no UUID: {error}"))
        }
        (Holds::Number, _) => Err("must be a number".to_owned()),
        (Holds::Text | Holds::Bytes | Holds::Id, _) => Err("must be a text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let of = |holds, optional| Kind { holds, optional };
        for (kind, value) in [
            (of(Holds::Number, false), Value::from(i64::MIN)),
            (of(Holds::Number, true), Value::from(i64::MAX)),
            (of(Holds::Number, true), Value::BigInt(None)),
            (of(Holds::Text, false), "".into()),
            (of(Holds::Text, false), "a\n\"\u{1f600}\\\u{7f}\u{1}é".into()),
            (of(Holds::Text, true), Value::String(None)),
            (of(Holds::Bytes, false), (0..=255).collect::<Vec<u8>>().into()),
            (of(Holds::Bytes, false), Vec::<u8>::new().into()),
            (of(Holds::Id, false), uuid::Uuid::max().into()),
            (of(Holds::Id, true), Value::Uuid(None)),
        ] {
            let line = serde_json::to_string(&to_json(&value)).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(from_json(kind, serde_json::from_str(&line).unwrap()), Ok(value), "{line}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (holds, text) in [
            (Holds::Number, "null"),
            (Holds::Number, "1.5"),
            (Holds::Number, "9223372036854775808"),
            (Holds::Number, "\"1\""),
            (Holds::Text, "1"),
            (Holds::Bytes, "\"?\""),
            (Holds::Id, "\"x\""),
        ] {
            let value = serde_json::from_str(text).unwrap();
            assert!(from_json(Kind { holds, optional: false }, value).is_err(), "{text}");
        }
    }
}
