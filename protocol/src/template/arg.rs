//! Arguments as they travel.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use utoipa::ToSchema;

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
    pub fn lossy(&self) -> Cow<'_, str> {
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

impl Serialize for Arg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(B64, &STANDARD.encode(&self.0))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Arg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Given)
    }
}

/// The one key of an argument that is not UTF-8.
const B64: &str = "b64";
const FORMS: &str = "a text or {\"b64\": \"…\"}";

/// Reads either form as it comes. (An untagged enum would first take in whatever is there, and hide what is wrong with it.)
struct Given;

impl<'de> Visitor<'de> for Given {
    type Value = Arg;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORMS)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Arg, E> {
        Ok(text.into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Arg, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Arg, A::Error> {
        let key: Option<String> = map.next_key()?;
        if key.as_deref() != Some(B64) {
            return Err(de::Error::custom(format!("expected {FORMS}")));
        }
        let text: String = map.next_value()?;
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(de::Error::custom(format!("expected {FORMS}, with nothing beside b64")));
        }
        STANDARD.decode(text).map(Arg).map_err(|error| de::Error::custom(format!("b64: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_travel_as_text_or_base64() {
        for (bytes, json) in [
            (b"$Media/a.mkv".to_vec(), r#""$Media/a.mkv""#),
            (b"".to_vec(), r#""""#),
            ("Fräulein\n".as_bytes().to_vec(), r#""Fräulein\n""#),
            (b"\xff\x00".to_vec(), r#"{"b64":"/wA="}"#),
        ] {
            let arg = Arg::from(bytes);
            assert_eq!(serde_json::to_string(&arg).unwrap(), json);
            assert_eq!(serde_json::from_str::<Arg>(json).unwrap(), arg);
        }
        for wrong in [
            "1",
            "{}",
            r#"{"b64": "%"}"#,
            r#"{"b64": 1}"#,
            r#"["a"]"#,
            "null",
            r#"{"b64": "AA==", "b64": "AA=="}"#,
            r#"{"b65": "AA=="}"#,
        ] {
            assert!(serde_json::from_str::<Arg>(wrong).is_err(), "{wrong}");
        }
    }
}
