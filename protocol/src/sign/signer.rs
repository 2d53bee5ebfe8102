//! Making a signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;
use sfv::{BareItem, InnerList, Integer, Item, KeyRef, Parameters, StringRef, key_ref, string_ref};

use super::{
    ALGORITHM, BaseError, LABEL, Parts, Secret, TAG,
    base::{mac, signature_base},
    fields::Input,
};
use crate::id::KeyId;

const LABEL_KEY: &KeyRef = key_ref(LABEL);

/// What a signature says besides the request itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// When it is made, in seconds since 1970.
    pub created: i64,
    /// Fresh random text of at least 96 bits; servers want it on everything that is not GET or HEAD.
    pub nonce: Option<String>,
    /// When it stops counting, in seconds since 1970, if sooner than the window.
    pub expires: Option<i64>,
}

/// The values of the two headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// For `Signature-Input`.
    pub input: String,
    /// For `Signature`.
    pub signature: String,
}

/// A request that cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A part of the request.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A moment that structured fields cannot express.
    #[error("{0} is not a moment that can be written into a signature")]
    Time(i64),
    /// A nonce that structured fields cannot express.
    #[error("the nonce holds characters other than printable ASCII")]
    Nonce,
}

/// Signs a request.
pub fn sign(
    parts: &Parts<'_>,
    key_id: &KeyId,
    secret: &Secret,
    params: &Params,
) -> Result<SignatureHeaders, SignError> {
    let names = ["@method", "@authority", "@path", "@query"]
        .into_iter()
        .chain(parts.content_digest.map(|_| "content-digest"))
        .chain(parts.idempotency_key.map(|_| "idempotency-key"));
    let items = names.map(|name| Item::new(string_ref(name))).collect();
    let input = Input::new(InnerList::with_params(items, parameters(key_id, params)?));
    let signature = mac(secret, &signature_base(&input, parts)?).finalize().into_bytes();
    Ok(SignatureHeaders {
        input: input.labelled(LABEL_KEY),
        signature: format!("{LABEL}=:{}:", STANDARD.encode(signature)),
    })
}

fn parameters(key_id: &KeyId, params: &Params) -> Result<Parameters, SignError> {
    let time = |seconds| Integer::try_from(seconds).map(BareItem::Integer).map_err(|_| SignError::Time(seconds));
    let text = |text| StringRef::from_str(text).map(BareItem::from).map_err(|_| SignError::Nonce);
    let mut list = vec![(key_ref("created"), time(params.created)?)];
    if let Some(expires) = params.expires {
        list.push((key_ref("expires"), time(expires)?));
    }
    if let Some(nonce) = &params.nonce {
        list.push((key_ref("nonce"), text(nonce)?));
    }
    // A key id is ASCII by its own rules.
    list.push((key_ref("keyid"), text(key_id.as_str())?));
    list.push((key_ref("alg"), text(ALGORITHM)?));
    list.push((key_ref("tag"), text(TAG)?));
    Ok(list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
