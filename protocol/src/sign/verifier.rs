//! Checking a signature.

use std::fmt;

use hmac::Mac;
use sfv::{BareItem, Dictionary, Item, ListEntry};

use super::{
    ALGORITHM, BaseError, FIELD_MAX, NONCE_MAX, NONCE_MIN, Parts, Secret, TAG, WINDOW_FUTURE_S, WINDOW_PAST_S,
    base::{mac, signature_base},
    fields::{Input, dictionary},
};

/// Why a signature does not hold. For logs and tests: callers of the API are all told the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is not there.
    #[error("the request has no {0} header")]
    NoHeader(&'static str),
    /// A header is not what the standard says.
    #[error("{header}: {why}")]
    Malformed {
        /// Which.
        header: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// No signature is meant for us.
    #[error("no signature has tag=\"{TAG}\"")]
    NoneOfOurs,
    /// Several are.
    #[error("several signatures have tag=\"{TAG}\"; exactly one may")]
    Several,
    /// The signature's value is not in the `Signature` header.
    #[error("the header Signature has no signature labelled {0:?}")]
    NoValue(String),
    /// A parameter is not there.
    #[error("the signature has no parameter {0}")]
    NoParameter(&'static str),
    /// A parameter is of the wrong kind or size.
    #[error("the signature's parameter {0} {1}")]
    BadParameter(&'static str, &'static str),
    /// A component that must be covered is not.
    #[error("the signature does not cover {0}")]
    NotCovered(&'static str),
    /// A body came without its digest.
    #[error("the request has a body and no Content-Digest header")]
    NoDigest,
    /// The text that was signed cannot be rebuilt.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The MAC is another one.
    #[error("the signature is not the one this key makes for this request")]
    Mismatch,
}

/// Whether a signature's time is acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// It is.
    Inside,
    /// It is not.
    Outside {
        /// Seconds between the server's time and the signature's; negative when the signature is too old.
        by: i64,
    },
}

/// A signature as a request presents it; nothing about it is proven before [`verify`](Self::verify).
#[derive(Clone, PartialEq)]
pub struct Presented {
    input: Input,
    signature: Vec<u8>,
    key_id: String,
    created: i64,
    expires: Option<i64>,
    nonce: Option<String>,
}

/// The signature's value stays out of logs.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("input", &self.input.text()).finish_non_exhaustive()
    }
}

/// Reads the values of all `Signature-Input` and all `Signature` headers, in order, and picks the one signature with our
/// tag.
pub fn parse(input: &[&[u8]], signature: &[&[u8]]) -> Result<Presented, SignatureError> {
    let inputs = field("Signature-Input", input)?;
    let values = field("Signature", signature)?;
    let mut ours = inputs.into_iter().filter_map(|(label, member)| match member {
        ListEntry::InnerList(list) => {
            let input = Input::new(list);
            let tagged = matches!(input.param("tag"), Some(BareItem::String(tag)) if tag.as_str() == TAG);
            tagged.then_some((label, input))
        }
        ListEntry::Item(_) => None,
    });
    let (label, input) = ours.next().ok_or(SignatureError::NoneOfOurs)?;
    if ours.next().is_some() {
        return Err(SignatureError::Several);
    }
    let signature = match values.get(label.as_str()) {
        Some(ListEntry::Item(Item { bare_item: BareItem::ByteSequence(value), .. })) => value.clone(),
        Some(ListEntry::Item(_) | ListEntry::InnerList(_)) | None => {
            return Err(SignatureError::NoValue(label.as_str().to_owned()));
        }
    };
    let algorithm = string(&input, "alg")?.ok_or(SignatureError::NoParameter("alg"))?;
    if algorithm != ALGORITHM {
        return Err(SignatureError::BadParameter("alg", "must be \"hmac-sha256\""));
    }
    let nonce = string(&input, "nonce")?.map(str::to_owned);
    if nonce.as_ref().is_some_and(|nonce| !(NONCE_MIN..=NONCE_MAX).contains(&nonce.len())) {
        return Err(SignatureError::BadParameter("nonce", "must have 16 to 128 characters"));
    }
    Ok(Presented {
        key_id: string(&input, "keyid")?.ok_or(SignatureError::NoParameter("keyid"))?.to_owned(),
        created: integer(&input, "created")?.ok_or(SignatureError::NoParameter("created"))?,
        expires: integer(&input, "expires")?,
        nonce,
        signature,
        input,
    })
}

fn field(header: &'static str, lines: &[&[u8]]) -> Result<Dictionary, SignatureError> {
    if lines.is_empty() {
        return Err(SignatureError::NoHeader(header));
    }
    let malformed = |why: String| SignatureError::Malformed { header, why };
    if lines.iter().map(|line| line.len()).sum::<usize>() > FIELD_MAX {
        return Err(malformed(format!("longer than {FIELD_MAX} bytes")));
    }
    dictionary(lines).map_err(|error| malformed(error.to_string()))
}

fn string<'a>(input: &'a Input, name: &'static str) -> Result<Option<&'a str>, SignatureError> {
    match input.param(name) {
        None => Ok(None),
        Some(BareItem::String(value)) => Ok(Some(value.as_str())),
        Some(_) => Err(SignatureError::BadParameter(name, "must be a string")),
    }
}

fn integer(input: &Input, name: &'static str) -> Result<Option<i64>, SignatureError> {
    match input.param(name) {
        None => Ok(None),
        Some(BareItem::Integer(value)) => Ok(Some((*value).into())),
        Some(_) => Err(SignatureError::BadParameter(name, "must be an integer")),
    }
}

impl Presented {
    /// The key it says it is made with.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// When it says it was made, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.created
    }

    /// When it says it stops counting.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// Its nonce, of 16 to 128 characters of printable ASCII.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Whether the signature covers what it must and was made with this secret for this request. Takes equally long for
    /// every secret, so an unknown key may be checked against any secret at all.
    pub fn verify(&self, parts: &Parts<'_>, has_body: bool, secret: &Secret) -> Result<(), SignatureError> {
        self.covers_enough(parts, has_body)?;
        let base = signature_base(&self.input, parts)?;
        mac(secret, &base).verify_slice(&self.signature).map_err(|_| SignatureError::Mismatch)
    }

    fn covers_enough(&self, parts: &Parts<'_>, has_body: bool) -> Result<(), SignatureError> {
        if has_body && parts.content_digest.is_none() {
            return Err(SignatureError::NoDigest);
        }
        let needed = ["@method", "@authority", "@path", "@query"]
            .into_iter()
            .chain(parts.content_digest.map(|_| "content-digest"))
            .chain(parts.idempotency_key.map(|_| "idempotency-key"));
        for name in needed {
            if !self.input.covers(name) {
                return Err(SignatureError::NotCovered(name));
            }
        }
        if self.nonce.is_none() && !matches!(parts.method, "GET" | "HEAD") {
            return Err(SignatureError::NoParameter("nonce"));
        }
        Ok(())
    }

    /// Whether its time is acceptable to a server whose clock shows `now`, in seconds since 1970.
    #[must_use]
    pub fn window(&self, now: i64) -> Window {
        let ahead = self.created.saturating_sub(now);
        if !(-WINDOW_PAST_S..=WINDOW_FUTURE_S).contains(&ahead) {
            return Window::Outside { by: ahead };
        }
        match self.expires {
            Some(expires) if expires < now => Window::Outside { by: expires.saturating_sub(now) },
            Some(_) | None => Window::Inside,
        }
    }
}
