//! The names of path variables.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::BadId;

/// The name of a path variable, such as `Movies`: a letter, then letters, digits and `_`, at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct Variable(String);

impl Variable {
    /// Takes a name of the right shape.
    pub fn new(text: impl Into<String>) -> Result<Self, BadId> {
        let text = text.into();
        let good = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if good {
            Ok(Self(text))
        } else {
            let why = "a letter, then at most 63 letters, digits and '_'";
            Err(BadId { what: "path variable", text, why })
        }
    }

    /// The name without its dollar.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Variable {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::new(text)
    }
}

impl TryFrom<String> for Variable {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        Self::new(text)
    }
}

impl From<Variable> for String {
    fn from(name: Variable) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet() {
        for good in ["M", "Media_2", "tv", &"n".repeat(64)] {
            assert_eq!(Variable::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "_a", "2a", "a-b", "a.b", "ä", "a/b", "a ", &"n".repeat(65)] {
            assert!(Variable::new(bad).is_err(), "{bad:?} was taken");
        }
    }
}
