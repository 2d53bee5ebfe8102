//! Reading what a newer version has written, in a type that is strict about what a person writes: fields that it does not
//! know are left out, at every depth.

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Value};

/// Reads a JSON text without the fields that `T` does not know.
///
/// # Errors
/// When it is no JSON, or no `T` even so.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    from_value(serde_json::from_str(text)?)
}

/// For `#[serde(deserialize_with)]`, where a strict type is part of an answer.
pub(crate) fn field<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    from_value(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Known(value))
}

/// A value of which only the known fields are shown: serde names them when it asks for a struct.
struct Known(Value);

impl<'de> IntoDeserializer<'de, Error> for Known {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Known {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Known))),
            Value::Object(fields) => {
                visitor.visit_map(MapDeserializer::new(fields.into_iter().map(|(name, value)| (name, Known(value)))))
            }
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Value::Object(all) = &mut self.0 {
            all.retain(|name, _| fields.contains(&name.as_str()));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobSpec, RetryRule};

    #[test]
    fn what_is_known_is_read_and_the_rest_left_out() {
        let text = r#"{
            "args": ["-i", {"b64": "/w=="}], "priority": 3, "labels": {"any": "word"}, "cwd": null, "nice": 5,
            "needs": {"tags": ["fast"], "memory": {"mib": 4000}},
            "retry": {"on": ["transient", "thunderstorm", {"since": [1, 2]}, {"exit_code": 3}], "pause_s": 4}
        }"#;
        assert!(serde_json::from_str::<JobSpec>(text).is_err());
        let spec: JobSpec = from_str(text).unwrap();
        assert_eq!((spec.priority, spec.args.len(), spec.cwd), (3, 2, None));
        assert_eq!((spec.labels["any"].as_str(), spec.needs.tags.len()), ("word", 1));
        assert_eq!(spec.retry.retries, 3);
        assert!(
            matches!(
                spec.retry.on[..],
                [RetryRule::Transient, RetryRule::Unknown(_), RetryRule::Unknown(_), RetryRule::ExitCode(3)]
            ),
            "{:?}",
            spec.retry
        );
        assert!(from_str::<JobSpec>(r#"{"args": [], "priority": "high"}"#).is_err(), "what is known is still checked");
        assert!(from_str::<JobSpec>("{").is_err());
    }
}
