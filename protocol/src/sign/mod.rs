//! HTTP Message Signatures (RFC 9421) with `hmac-sha256`, and `Content-Digest` (RFC 9530).
//!
//! A signature covers `@method`, `@authority`, `@path` and `@query`, with a body also `content-digest`, and
//! `idempotency-key` whenever it is sent; its parameters are `created`, `nonce` (on everything that is not GET or HEAD),
//! `keyid`, `alg="hmac-sha256"` and `tag="ffleet"`, and `expires` where the signer wants it sooner than the window.
//! [`sign`] makes the two headers. Checking takes two steps, because the key is looked up in between: [`parse`], then
//! [`Presented::verify`].
//!
//! A message may carry signatures of others: only the one with our tag counts, whatever its label. Two with our tag are
//! refused, since there would be two answers to the question who asks.

mod base;
mod digest;
mod fields;
mod key;
mod signer;
mod verifier;

pub use base::{BaseError, Parts};
pub use digest::{content_digest, content_digest_of, digest_matches};
pub use key::{BadKeyFile, BadSecret, KeyFile, Secret};
pub use signer::{Params, SignError, SignatureHeaders, sign};
pub use verifier::{Presented, SignatureError, Window, parse};

/// The label of the signatures that we make. Any label is accepted.
pub const LABEL: &str = "ffleet";
/// The `tag` that makes a signature one of ours.
pub const TAG: &str = "ffleet";
/// The one algorithm.
pub const ALGORITHM: &str = "hmac-sha256";
/// How old a signature may be, in seconds.
pub const WINDOW_PAST_S: i64 = 300;
/// How far ahead of the server's clock a signature may be, in seconds.
pub const WINDOW_FUTURE_S: i64 = 30;
/// Fewest characters of a nonce: 96 bits in base64.
pub const NONCE_MIN: usize = 16;
/// Most characters of a nonce; they are stored.
pub const NONCE_MAX: usize = 128;
/// Most bytes of `Signature-Input`, and of `Signature`, that are looked at.
pub const FIELD_MAX: usize = 8 * 1024;
