//! Finding and reading the configuration file.

use std::{
    borrow::Cow,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use figment::value::{Dict, Value};
use toml::de::{DeTable, DeValue};

use crate::{Environment, SettingsError, Source};

/// A configuration file that was found and is TOML.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) table: Dict,
    text: String,
}

impl File {
    /// The file that was asked for, else the first of the usual ones that exists.
    pub(crate) fn find(source: &Source, environment: &Environment) -> Result<Option<Self>, SettingsError> {
        if let Some(path) = &source.flag {
            return Self::read(path, "--config").map(Some);
        }
        if let Some(path) = environment.var(source.env_var) {
            return Self::read(Path::new(path), source.env_var).map(Some);
        }
        for folder in &environment.folders {
            match Self::read(&folder.join(source.file_name), "found there") {
                // A parent that is a file, not a folder, holds no configuration either.
                Err(SettingsError::Unreadable { cause, .. })
                    if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                other => return other.map(Some),
            }
        }
        Ok(None)
    }

    fn read(path: &Path, asked_by: &str) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|cause| SettingsError::Unreadable {
            path: path.to_owned(),
            asked_by: asked_by.to_owned(),
            cause,
        })?;
        let not_toml = |detail: String| SettingsError::NotToml { path: path.to_owned(), detail };
        // The quoted line may be the one with a password in it, so only the place and the reason are told.
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            let place = error.span().map(|span| format!("line {}: ", line_at(&text, span.start))).unwrap_or_default();
            not_toml(format!("{place}{}", error.message()))
        })?;
        let Value::Dict(_, table) = Value::serialize(&table).map_err(|error| not_toml(error.to_string()))? else {
            return Err(not_toml("expected keys and values".to_owned()));
        };
        Ok(Self { path: path.to_owned(), table, text })
    }

    /// The line on which the key stands, counted from 1.
    pub(crate) fn line(&self, path: &[String]) -> Option<usize> {
        let document = DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let mut line = None;
        for part in path {
            let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == &Cow::Borrowed(part.as_str()))
            else {
                break;
            };
            line = Some(line_at(&self.text, key.span().start));
            let DeValue::Table(inner) = value.get_ref() else { break };
            table = inner;
        }
        line
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
