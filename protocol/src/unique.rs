//! Maps whose keys may come once. serde takes the last of several, which a reader of the same text may not: two programs
//! would then see two requests in one.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// For `#[serde(deserialize_with)]`.
pub(crate) fn map<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    deserializer.deserialize_map(Once(PhantomData))
}

struct Once<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Once<K, V>
where
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(key) = access.next_key::<K>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("duplicate field `{key}`")));
            }
            map.insert(key, access.next_value()?);
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use crate::job::JobSpec;

    #[test]
    fn a_key_may_come_once() {
        let read = |labels: &str| serde_json::from_str::<JobSpec>(&format!(r#"{{"args": [], "labels": {labels}}}"#));
        assert_eq!(read(r#"{"a": "1", "b": "2"}"#).unwrap().labels["b"], "2");
        assert!(read("{}").unwrap().labels.is_empty());
        let error = read(r#"{"a": "1", "b": "2", "\u0061": "3"}"#).unwrap_err().to_string();
        assert!(error.starts_with("duplicate field `a`"), "{error}");
        assert!(read("[]").is_err());
    }
}
