//! Flags on the command line that stand for a key of the configuration.

use figment::value::{Dict, Value};
use serde::Serialize;

use crate::{SettingsError, environment::insert};

/// Flags that were given; they win over file and environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    given: Vec<(&'static str, &'static str, Value)>,
}

impl Overrides {
    /// No flags.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// `name` (such as `--listen`) stands for `key` (such as `log.level`); without a value it was not given.
    #[must_use]
    pub fn flag<T: Serialize>(mut self, name: &'static str, key: &'static str, value: Option<T>) -> Self {
        // A value that cannot be serialized cannot come from a command line; it would show as the key's own error.
        let value = value.map(|value| Value::serialize(value).unwrap_or_else(|error| Value::from(error.to_string())));
        self.given.extend(value.map(|value| (name, key, value)));
        self
    }

    /// The flag that gave `path`, if one did.
    pub(crate) fn origin(&self, path: &[String]) -> Option<&'static str> {
        let key = path.join(".");
        self.given.iter().find(|(_, own, _)| key == *own || key.starts_with(&format!("{own}."))).map(|(name, ..)| *name)
    }

    pub(crate) fn table(&self) -> Result<Dict, SettingsError> {
        let mut table = Dict::new();
        for (name, key, value) in &self.given {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            if !insert(&mut table, &path, value.clone()) {
                return Err(SettingsError::Clash { variable: (*name).to_owned() });
            }
        }
        Ok(table)
    }
}
