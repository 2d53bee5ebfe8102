//! File, then environment, then flags; and where a value came from when it is wrong.

use std::path::PathBuf;

use figment::{
    Figment,
    error::{Error, Kind},
    providers::Serialized,
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;

use crate::{Environment, Overrides, SettingsError, file::File, mask::mask_text};

/// Where a program's configuration comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The value of `--config`.
    pub flag: Option<PathBuf>,
    /// The variable that names the file, such as `FFLEET_WORKER_CONFIG`.
    pub env_var: &'static str,
    /// The file's usual name, such as `worker.toml`.
    pub file_name: &'static str,
    /// What the variables of single keys begin with, such as `FFLEET_WORKER_`.
    pub env_prefix: &'static str,
}

/// A configuration and the file it came from.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The effective configuration.
    pub value: T,
    /// The file, if there was one.
    pub path: Option<PathBuf>,
}

/// Reads a program's configuration in the environment of this process.
///
/// # Errors
/// When the file cannot be read, or something in it, in the environment or in the flags is not understood.
pub fn load<T: DeserializeOwned>(source: &Source, overrides: &Overrides) -> Result<Loaded<T>, SettingsError> {
    load_in(&Environment::of_process(), source, overrides)
}

/// Reads a program's configuration in a given environment.
///
/// # Errors
/// As [`load`].
pub fn load_in<T: DeserializeOwned>(
    environment: &Environment,
    source: &Source,
    overrides: &Overrides,
) -> Result<Loaded<T>, SettingsError> {
    let file = File::find(source, environment)?;
    let variables = environment.table(source.env_prefix, source.env_var)?;
    let flags = overrides.table()?;

    let mut merged = Figment::new();
    for layer in [file.as_ref().map(|file| &file.table), Some(&variables), Some(&flags)].into_iter().flatten() {
        merged = merged.merge(Serialized::defaults(layer));
    }
    let layers = Layers { source, environment, overrides, file: file.as_ref(), variables: &variables };
    let value = merged.extract().map_err(|error| layers.explain(&error))?;
    Ok(Loaded { value, path: file.map(|file| file.path) })
}

/// Everything that may have given a value.
struct Layers<'a> {
    source: &'a Source,
    environment: &'a Environment,
    overrides: &'a Overrides,
    file: Option<&'a File>,
    variables: &'a Dict,
}

impl Layers<'_> {
    fn explain(&self, error: &Error) -> SettingsError {
        let path = error.path.as_slice();
        let (key, origin) = (path.join("."), self.origin(path));
        match &error.kind {
            Kind::UnknownField(name, known) => {
                SettingsError::UnknownKey { key, origin, hint: nearest(name, known, path) }
            }
            Kind::MissingField(name) => {
                let full: Vec<&str> = path.iter().map(String::as_str).chain([name.as_ref()]).collect();
                let variable = full.iter().map(|part| part.to_ascii_uppercase()).collect::<Vec<_>>().join("__");
                let file = match self.file {
                    Some(file) => file.path.display().to_string(),
                    None => format!("a file {}", self.source.file_name),
                };
                let variable = format!("{}{variable}", self.source.env_prefix);
                SettingsError::Missing { key: full.join("."), file, variable }
            }
            Kind::UnknownVariant(given, known) => SettingsError::BadValue {
                key,
                origin,
                detail: format!("`{}` is not one of {}", mask_text(given), known.join(", ")),
            },
            Kind::InvalidType(given, expected) | Kind::InvalidValue(given, expected) => SettingsError::BadValue {
                key,
                detail: format!(
                    "expected {expected}, found {}{}",
                    mask_text(&given.to_string()),
                    quotes_hint(expected, self.variable_of(path).is_some())
                ),
                origin,
            },
            Kind::Message(_)
            | Kind::InvalidLength(..)
            | Kind::DuplicateField(_)
            | Kind::ISizeOutOfRange(_)
            | Kind::USizeOutOfRange(_)
            | Kind::Unsupported(_)
            | Kind::UnsupportedKey(..) => {
                SettingsError::BadValue { key, origin, detail: mask_text(&error.kind.to_string()) }
            }
        }
    }

    /// The flag, the variable, or the file and line that gave `path`; the strongest one that did.
    fn origin(&self, path: &[String]) -> String {
        if let Some(flag) = self.overrides.origin(path) {
            return format!("the flag {flag}");
        }
        if let Some(variable) = self.variable_of(path) {
            return format!("the environment variable {variable}");
        }
        match self.file {
            Some(file) => match file.line(path) {
                Some(line) => format!("{}, line {line}", file.path.display()),
                None => file.path.display().to_string(),
            },
            None => "the configuration".to_owned(),
        }
    }

    fn variable_of(&self, path: &[String]) -> Option<&str> {
        if !holds(self.variables, path) {
            return None;
        }
        let variables = self.environment.settings(self.source.env_prefix, self.source.env_var);
        // A variable may hold a whole table, so the one that shares the longest way is meant.
        variables
            .map(|(name, own, _)| (own.iter().zip(path).take_while(|(a, b)| a == b).count(), name))
            .filter(|(shared, _)| *shared > 0)
            .max_by_key(|(shared, _)| *shared)
            .map(|(_, name)| name)
    }
}

/// Whether a layer has something at this path.
fn holds(table: &Dict, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    table.get(first).is_some_and(|value| match value {
        Value::Dict(_, inner) => holds(inner, rest),
        Value::Array(..) => true,
        Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) => rest.is_empty(),
    })
}

/// The known key that was probably meant, else all that could be.
fn nearest(name: &str, known: &[&'static str], path: &[String]) -> String {
    let within = match path {
        [.., section, _] => format!("{section}."),
        _ => String::new(),
    };
    let best = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), *candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7);
    match best {
        Some((_, candidate)) => format!("did you mean `{within}{candidate}`?"),
        None => format!("known here are {}", known.join(", ")),
    }
}

fn quotes_hint(expected: &str, variable: bool) -> &'static str {
    if variable && expected.contains("string") {
        " (text that looks like a number is written in quotes: '\"7\"')"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests;
