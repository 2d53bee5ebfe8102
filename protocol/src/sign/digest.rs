//! `Content-Digest` (RFC 9530) with sha-256.

use base64::{Engine, engine::general_purpose::STANDARD};
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The header's value for this body.
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    content_digest_of(&Sha256::digest(body).into())
}

/// The header's value for a body of which the hash is known.
#[must_use]
pub fn content_digest_of(sha256: &[u8; 32]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256))
}

/// Whether the header promises a body with this hash. Other algorithms in it are ignored; without sha-256 it promises
/// nothing.
#[must_use]
pub fn digest_matches(header: &str, sha256: &[u8; 32]) -> bool {
    let Ok(fields) = Parser::new(header).parse::<Dictionary>() else {
        return false;
    };
    match fields.get("sha-256") {
        Some(ListEntry::Item(Item { bare_item: BareItem::ByteSequence(promised), .. })) => {
            promised.ct_eq(sha256).into()
        }
        Some(ListEntry::Item(_) | ListEntry::InnerList(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"hello": "world"}"#;
    const DIGEST: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";

    #[test]
    fn the_known_answer_of_the_standard() {
        assert_eq!(content_digest(BODY), DIGEST);
        assert!(digest_matches(DIGEST, &Sha256::digest(BODY).into()));
    }

    #[test]
    fn only_the_right_sha_256_matches() {
        let hash: [u8; 32] = Sha256::digest(BODY).into();
        let with_other = format!("sha-512=:AAAA:, {DIGEST};note=\"x\", md5=:AA==:");
        assert!(digest_matches(&with_other, &hash));
        for wrong in [
            "",
            "sha-256",
            "sha-256=?1",
            "sha-256=::",
            "sha-256=:AAAA:",
            "sha-512=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
            "sha-256=\"X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=\"",
            "sha-256=(:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:)",
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
            "SHA-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:,",
            "sha-256=:Y48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
            "sha-256=:é:",
        ] {
            assert!(!digest_matches(wrong, &hash), "{wrong:?} passed");
        }
    }
}
