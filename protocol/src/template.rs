//! Path templates: arguments that name files under path variables instead of under one machine's directories.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::id::BadId;

/// One argument as it travels: bytes, written as text where they are UTF-8 and as `{"b64": "…"}` where they are not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String)]
pub struct Arg(Vec<u8>);

impl Arg {
    /// The argument's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text, with what is not UTF-8 replaced; for people only.
    #[must_use]
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lossy(), f)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WireArg {
    Text(String),
    Bytes {
        b64: String,
    },
}

impl Serialize for Arg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => WireArg::Bytes { b64: STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Arg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = WireArg::deserialize(deserializer)
            .map_err(|_| de::Error::custom("expected a text or {\"b64\": \"…\"}"))?;
        match wire {
            WireArg::Text(text) => Ok(Self(text.into_bytes())),
            WireArg::Bytes { b64 } => STANDARD.decode(b64).map(Self).map_err(de::Error::custom),
        }
    }
}

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
