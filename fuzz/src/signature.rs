//! The fields of a signature: whatever they say, no key signs another request than it signed.

use ffleet_protocol::sign::{NONCE_MAX, NONCE_MIN, Parts, Secret, Window, digest_matches, parse};
use sha2::{Digest, Sha256};

use crate::cut;

const BODY: &[u8] = br#"{"args":["-version"]}"#;

/// The two headers, and a third as `Content-Digest`.
pub(crate) fn run(bytes: &[u8]) {
    let (input, rest) = cut(bytes);
    let (signature, digest) = cut(rest);
    let hash: [u8; 32] = Sha256::digest(BODY).into();
    if let Ok(text) = std::str::from_utf8(digest)
        && digest_matches(text, &hash)
    {
        assert!(text.contains("sha-256=:"), "{text}");
    }
    // In one line or in two, split anywhere a comma stands.
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let Ok(presented) = parse(&lines, &[signature]) else { return };
    assert!(presented.nonce().is_none_or(|nonce| (NONCE_MIN..=NONCE_MAX).contains(&nonce.len())));
    for now in [i64::MIN, 0, 1_700_000_000, i64::MAX] {
        if presented.window(now) == Window::Inside {
            assert!(presented.created().abs_diff(now) <= 300);
        }
    }
    let secret = Secret::from_bytes((0..32).collect());
    let parts = Parts {
        method: "POST",
        authority: "localhost:8461",
        path: "/v1/jobs",
        query: None,
        content_digest: std::str::from_utf8(digest).ok(),
        idempotency_key: None,
    };
    if presented.verify(&parts, true, &secret).is_ok() {
        assert!(presented.nonce().is_some() && parts.content_digest.is_some());
        let other = |parts: Parts<'_>| assert!(presented.verify(&parts, true, &secret).is_err());
        other(Parts { method: "PUT", ..parts });
        other(Parts { authority: "localhost:8462", ..parts });
        other(Parts { path: "/v1/jobs:batch", ..parts });
        other(Parts { query: Some("a"), ..parts });
        other(Parts { content_digest: Some("sha-256=:AAAA:"), ..parts });
        other(Parts { idempotency_key: Some("k"), ..parts });
        assert!(presented.verify(&parts, true, &Secret::from_bytes(vec![1; 32])).is_err());
    }
}
