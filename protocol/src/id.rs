//! The names of things. Ids that the system makes are UUIDs; ids that people choose are short names.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::{ContextV7, Uuid};

/// An id or name that does not have the shape it must have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} cannot be the {what}: {why}")]
pub struct BadId {
    /// What it was meant to be, for people.
    pub what: &'static str,
    /// What was given.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $make:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "two calls give two ids; a default would suggest one value")]
            pub fn new() -> Self {
                Self(Uuid::$make())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| BadId { what: $what, text: text.to_owned(), why: "expected a UUID" })
            }
        }
    };
}

uuid_id!(
    /// A job, ordered by the time of its making (UUIDv7).
    JobId, "job id", now_v7
);
uuid_id!(
    /// A task of a job (UUIDv7).
    TaskId, "task id", now_v7
);
uuid_id!(
    /// A recorded transition (UUIDv7).
    EventId, "event id", now_v7
);
/// Ids of one process grow, also within a millisecond.
static EVENTS: Mutex<ContextV7> = Mutex::new(ContextV7::new());

impl EventId {
    /// A fresh id that was made at a moment of the store's: with the clocks of several coordinators in them, ids would be in
    /// no order.
    #[must_use]
    pub fn at(moment: crate::Timestamp) -> Self {
        let seconds = u64::try_from(moment.as_second()).unwrap_or(0);
        let nanos = u32::try_from(moment.subsec_nanosecond()).unwrap_or(0);
        let context = EVENTS.lock().unwrap_or_else(PoisonError::into_inner);
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos)))
    }
}

uuid_id!(
    /// One start of a worker process or of a client's follower; random.
    Incarnation, "incarnation", new_v4
);
uuid_id!(
    /// Chosen at random by a claimer; the lease it brings quotes it for ever.
    Token, "lease token", new_v4
);
uuid_id!(
    /// One request as the server saw it; random, in every answer as `x-request-id`.
    RequestId, "request id", new_v4
);

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// Takes a name of 1 to 64 characters from `a-z A-Z 0-9 . _ -`, beginning with a letter or digit.
            pub fn new(text: impl Into<String>) -> Result<Self, BadId> {
                let text = text.into();
                match name_problem(&text) {
                    None => Ok(Self(text)),
                    Some(why) => Err(BadId { what: $what, text, why }),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name_id!(
    /// Who signs requests.
    AccountId, "account name"
);
name_id!(
    /// One of an account's keys; the `keyid` of a signature.
    KeyId, "key id"
);
name_id!(
    /// An agent on a machine; bound to one account.
    WorkerId, "worker name"
);

fn name_problem(text: &str) -> Option<&'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 64 {
        Some("expected 1 to 64 characters")
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("it must begin with a letter or a digit")
    } else if !text.chars().all(good) {
        Some("only letters, digits, '.', '_' and '-' are allowed")
    } else {
        None
    }
}

/// A text that nobody has used before, for idempotency keys and nonces. It begins with the time (RFC 9562, UUIDv7): whoever
/// remembers many of them then adds to the end of an index, and not all over it.
#[must_use]
pub fn unused() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet() {
        for good in ["a", "gpu-box.7", "0_x", &"n".repeat(64)] {
            assert_eq!(WorkerId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "a b", "ä", "a/b", "a\n", &"n".repeat(65)] {
            assert!(WorkerId::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn job_ids_grow_with_time() {
        let ids: Vec<_> = (0..100).map(|_| JobId::new()).collect();
        assert!(ids.is_sorted());
    }
}
