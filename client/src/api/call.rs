//! One call, before it is addressed and signed.

use std::time::Duration;

use bytes::Bytes;
use ffleet_protocol::sign;
use reqwest::{Method, header::HeaderName};
use serde::Serialize;

use super::ApiError;

/// What is to be asked of whichever coordinator answers.
pub(super) struct Call {
    pub(super) method: Method,
    /// Below a coordinator's address, such as `/v1/jobs`.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Body>,
    pub(super) idempotency_key: Option<String>,
    pub(super) header: Option<(HeaderName, String)>,
    /// Whether a repetition is harmless though an earlier try may have had its effect.
    pub(super) repeatable: bool,
    /// How much longer than usual an answer may take.
    pub(super) wait: Duration,
    /// Whether the answer is a stream, to be handed over unread.
    pub(super) stream: bool,
}

pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) digest: String,
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { repeatable: true, ..Self::new(Method::GET, path) }
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(super) fn put(path: impl Into<String>) -> Self {
        Self { repeatable: true, ..Self::new(Method::PUT, path) }
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self { repeatable: true, ..Self::new(Method::DELETE, path) }
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            idempotency_key: None,
            header: None,
            repeatable: false,
            wait: Duration::ZERO,
            stream: false,
        }
    }

    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, ApiError> {
        let bytes = serde_json::to_vec(body)
            .map_err(|error| ApiError::Setup(format!("the request cannot be written as JSON: {error}")))?;
        let digest = sign::content_digest(&bytes);
        self.body = Some(Body { bytes: bytes.into(), digest });
        Ok(self)
    }

    #[expect(clippy::needless_pass_by_value, reason = "values are made in place, of numbers, ids and texts alike")]
    pub(super) fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Every field of `filter` that is set.
    pub(super) fn filter(mut self, filter: &impl Serialize) -> Result<Self, ApiError> {
        let bad = |what: String| ApiError::Setup(format!("the filter cannot be written as a query: {what}"));
        match serde_json::to_value(filter).map_err(|error| bad(error.to_string()))? {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        serde_json::Value::String(text) => self = self.query(&name, text),
                        other => self = self.query(&name, other),
                    }
                }
                Ok(self)
            }
            other => Err(bad(format!("{other} has no fields"))),
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    pub(super) fn key(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.to_owned());
        self.repeatable = true;
        self
    }

    /// A repetition is harmless: the effect is numbered, or asking twice is the same as asking once.
    pub(super) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    pub(super) fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    pub(super) fn stream(mut self) -> Self {
        self.stream = true;
        self
    }
}
