//! The signature base: the text that is signed (RFC 9421, section 2.5).

use std::{borrow::Cow, collections::HashSet, fmt::Write as _};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Secret, fields::Input};

/// A message, as far as its signature covers it.
pub(super) trait Components {
    /// The value of a component: a derived one such as `@method`, or a header by its lower-case name with the values of
    /// all its lines joined by `, `. None when the message does not have it or this kind of message cannot tell.
    fn component(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// A request as far as our signatures cover it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// As on the request line.
    pub method: &'a str,
    /// Host and, unless it is the scheme's own, port.
    pub authority: &'a str,
    /// As on the request line, still percent-encoded, without the query.
    pub path: &'a str,
    /// As on the request line, without its question mark. An empty one and none at all are signed alike.
    pub query: Option<&'a str>,
    /// The header, when it is sent.
    pub content_digest: Option<&'a str>,
    /// The header, when it is sent.
    pub idempotency_key: Option<&'a str>,
}

impl Components for Parts<'_> {
    fn component(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(match name {
            "@method" => self.method.into(),
            "@authority" => self.authority.to_ascii_lowercase().into(),
            "@path" if self.path.is_empty() => "/".into(),
            "@path" => self.path.into(),
            "@query" => format!("?{}", self.query.unwrap_or_default()).into(),
            "content-digest" => self.content_digest?.into(),
            "idempotency-key" => self.idempotency_key?.into(),
            _ => return None,
        })
    }
}

/// A signature base that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// A component's name is not a string.
    #[error("a covered component is not named by a string")]
    NotAName,
    /// A component has parameters, such as `;req`.
    #[error("the covered component {0:?} has parameters; none are understood")]
    Parameters(String),
    /// A component is named twice.
    #[error("the component {0:?} is covered twice")]
    Twice(String),
    /// A component that the message does not have.
    #[error("the component {0:?} is covered, but the message has no such component or it cannot be checked here")]
    Absent(String),
    /// A value that could be taken for several lines or is read differently by different machines.
    #[error("the value of {0:?} holds characters other than printable ASCII")]
    Value(String),
}

/// The text that is signed: a line for each covered component, then the parameters as they were received.
pub(super) fn signature_base(input: &Input, message: &impl Components) -> Result<String, BaseError> {
    let mut base = String::new();
    let mut seen = HashSet::new();
    for component in input.components() {
        let name = component?;
        if !seen.insert(name) {
            return Err(BaseError::Twice(name.to_owned()));
        }
        let value = message.component(name).ok_or_else(|| BaseError::Absent(name.to_owned()))?;
        let value = value.trim_matches([' ', '\t']);
        // A line break here would let one value pass for two components.
        if !value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(BaseError::Value(name.to_owned()));
        }
        // Writing into a String cannot fail.
        let _ = writeln!(base, "\"{name}\": {value}");
    }
    let _ = write!(base, "\"@signature-params\": {}", input.text());
    Ok(base)
}

/// The MAC over a base.
pub(super) fn mac(secret: &Secret, base: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length; the error exists for other algorithms")]
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose()).expect("a key of any length");
    mac.chain_update(base)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::{super::fields::tests::input, *};

    impl Components for BTreeMap<&str, &str> {
        fn component(&self, name: &str) -> Option<Cow<'_, str>> {
            self.get(name).map(|value| Cow::Borrowed(*value))
        }
    }

    const RFC_SECRET: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    const RFC_INPUT: &str = r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;

    fn rfc_message() -> BTreeMap<&'static str, &'static str> {
        BTreeMap::from([
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
        ])
    }

    /// RFC 9421, B.2.5.
    #[test]
    fn the_known_answer_of_the_standard() {
        let base = signature_base(&input(RFC_INPUT), &rfc_message()).unwrap();
        assert_eq!(
            base,
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
             \"@authority\": example.com\n\
             \"content-type\": application/json\n\
             \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
        );
        let signature = mac(&Secret::from_base64(RFC_SECRET).unwrap(), &base).finalize().into_bytes();
        assert_eq!(STANDARD.encode(signature), "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
    }

    #[test]
    fn what_cannot_be_signed_is_named() {
        let refused = |text: &str| signature_base(&input(text), &rfc_message()).unwrap_err();
        assert_eq!(refused(r#"("date" "date")"#), BaseError::Twice("date".into()));
        assert_eq!(refused(r#"("etag")"#), BaseError::Absent("etag".into()));
        assert_eq!(refused(r#"("Date")"#), BaseError::Absent("Date".into()));
        assert_eq!(refused(r#"("date";sf)"#), BaseError::Parameters("date".into()));
        assert_eq!(refused("(date)"), BaseError::NotAName);
        for value in ["a\nb", "a\rb", "ä", "\u{7f}", "a\0"] {
            let message = BTreeMap::from([("date", value)]);
            assert_eq!(
                signature_base(&input(r#"("date")"#), &message),
                Err(BaseError::Value("date".into())),
                "{value:?}"
            );
        }
    }

    #[test]
    fn values_are_normalised_as_the_standard_says() {
        let parts = Parts {
            method: "GET",
            authority: "Coordinator.Example:8461",
            path: "",
            query: None,
            content_digest: Some("  a \t"),
            idempotency_key: None,
        };
        let covered = input(r#"("@authority" "@path" "@query" "content-digest")"#);
        let base = signature_base(&covered, &parts).unwrap();
        assert_eq!(
            base.lines().take(4).collect::<Vec<_>>(),
            ["\"@authority\": coordinator.example:8461", "\"@path\": /", "\"@query\": ?", "\"content-digest\": a"]
        );
        assert_eq!(
            signature_base(&covered, &Parts { query: Some(""), ..parts }).unwrap(),
            base,
            "an empty query is signed as none"
        );
    }
}
