//! Signatures: vectors computed by another program, and everything that must not pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod covered;
mod headers;
mod properties;

use base64::{Engine, engine::general_purpose::STANDARD};
use ffleet_protocol::{
    id::KeyId,
    sign::{Params, Parts, Presented, Secret, SignatureError, Window, content_digest, parse, sign},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) const BODY: &[u8] = br#"{"args":["-version"]}"#;
pub(crate) const DIGEST: &str = "sha-256=:GV02Mk+B2WiqrrA70sNt9tgCZ/k+OhJVowGKsOEsRHE=:";
pub(crate) const NONCE: &str = "AAECAwQFBgcICQoL";

pub(crate) fn secret() -> Secret {
    Secret::from_bytes((0..32).collect())
}

pub(crate) fn key() -> KeyId {
    KeyId::new("farm-1").unwrap()
}

pub(crate) fn get() -> Parts<'static> {
    Parts {
        method: "GET",
        authority: "127.0.0.1:8461",
        path: "/v1/status",
        query: None,
        content_digest: None,
        idempotency_key: None,
    }
}

pub(crate) fn post() -> Parts<'static> {
    Parts {
        method: "POST",
        authority: "[::1]:8461",
        path: "/v1/jobs",
        query: None,
        content_digest: Some(DIGEST),
        idempotency_key: Some("k-1"),
    }
}

pub(crate) fn at(created: i64, nonce: Option<&str>) -> Params {
    Params { created, nonce: nonce.map(str::to_owned), expires: None }
}

/// Presents a signature over exactly the lines that the text of the parameters names, made without our own signer.
pub(crate) fn crafted(parts: &Parts<'_>, covered: &[&str], params: &str) -> Result<Presented, SignatureError> {
    let (input, signature) = craft(parts, covered, params);
    parse(&[input.as_bytes()], &[signature.as_bytes()])
}

pub(crate) fn craft(parts: &Parts<'_>, covered: &[&str], params: &str) -> (String, String) {
    let names = covered.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" ");
    let mut base = String::new();
    for name in covered {
        let value = match *name {
            "@method" => parts.method.to_owned(),
            "@authority" => parts.authority.to_owned(),
            "@path" => parts.path.to_owned(),
            "@query" => format!("?{}", parts.query.unwrap_or("")),
            "content-digest" => parts.content_digest.unwrap_or("").to_owned(),
            "idempotency-key" => parts.idempotency_key.unwrap_or("").to_owned(),
            other => panic!("{other} is no component of this profile"),
        };
        base += &format!("\"{name}\": {value}\n");
    }
    base += &format!("\"@signature-params\": ({names}){params}");
    let mac = Hmac::<Sha256>::new_from_slice(secret().expose()).unwrap().chain_update(base);
    (format!("sig1=({names}){params}"), format!("sig1=:{}:", STANDARD.encode(mac.finalize().into_bytes())))
}

pub(crate) const COVERED: [&str; 6] = ["@method", "@authority", "@path", "@query", "content-digest", "idempotency-key"];

/// The parameters of a good signature, with one of them replaced or, by an empty text, left away.
pub(crate) fn params(name: &str, replacement: &str) -> String {
    [
        ("created", "created=1700000000"),
        ("nonce", "nonce=\"AAECAwQFBgcICQoL\""),
        ("keyid", "keyid=\"farm-1\""),
        ("alg", "alg=\"hmac-sha256\""),
        ("tag", "tag=\"ffleet\""),
    ]
    .into_iter()
    .map(|(known, good)| if known == name { replacement } else { good })
    .filter(|text| !text.is_empty())
    .map(|text| format!(";{text}"))
    .collect()
}

pub(crate) fn good_params() -> String {
    params("", "")
}

#[test]
fn vectors_of_our_own() {
    let quoted = Params { expires: Some(1_700_000_060), ..at(1_700_000_000, Some("q\"b\\456789012345")) };
    let nothing = Parts { method: "HEAD", authority: "FFleet.Example", path: "", query: Some(""), ..get() };
    let escaped = Parts {
        method: "DELETE",
        authority: "ffleet.example",
        path: "/v1/workers/gpu%201",
        query: Some("incarnation=a%26b&x=%C3%A4"),
        ..get()
    };
    let vectors = [
        (
            get(),
            at(1_700_000_000, None),
            r#"ffleet=("@method" "@authority" "@path" "@query");created=1700000000;keyid="farm-1";alg="hmac-sha256";tag="ffleet""#,
            "ffleet=:5xO6m2ZQ1zUADAWWBrN8hAAvEAcy0+SU87dLIs5Sxr8=:",
        ),
        (
            nothing,
            at(1_700_000_000, None),
            r#"ffleet=("@method" "@authority" "@path" "@query");created=1700000000;keyid="farm-1";alg="hmac-sha256";tag="ffleet""#,
            "ffleet=:zPXpfSbXmKERdC44yaYcq0xccrfOtcD1iR2V1gkksbs=:",
        ),
        (
            post(),
            at(1_700_000_000, Some(NONCE)),
            r#"ffleet=("@method" "@authority" "@path" "@query" "content-digest" "idempotency-key");created=1700000000;nonce="AAECAwQFBgcICQoL";keyid="farm-1";alg="hmac-sha256";tag="ffleet""#,
            "ffleet=:VAf2kqeD5mgDUzNs5e4W0Br4F3P4yuO9mWFYiswY95w=:",
        ),
        (
            escaped,
            quoted,
            r#"ffleet=("@method" "@authority" "@path" "@query");created=1700000000;expires=1700000060;nonce="q\"b\\456789012345";keyid="farm-1";alg="hmac-sha256";tag="ffleet""#,
            "ffleet=:e/RvE7S/xrP2W61R6h31uOC7449Rn9rkBxo6BGARQFI=:",
        ),
    ];
    assert_eq!(content_digest(BODY), DIGEST);
    for (parts, params, input, signature) in vectors {
        let headers = sign(&parts, &key(), &secret(), &params).unwrap();
        assert_eq!((headers.input.as_str(), headers.signature.as_str()), (input, signature));
        let presented = parse(&[input.as_bytes()], &[signature.as_bytes()]).unwrap();
        assert_eq!(presented.key_id(), "farm-1");
        assert_eq!(presented.created(), params.created);
        assert_eq!(presented.expires(), params.expires);
        assert_eq!(presented.nonce(), params.nonce.as_deref());
        assert_eq!(presented.verify(&parts, parts.content_digest.is_some(), &secret()), Ok(()));
        let other = Secret::from_bytes((1..33).collect());
        assert_eq!(presented.verify(&parts, false, &other), Err(SignatureError::Mismatch));
    }
}

#[test]
fn the_window_has_exact_edges() {
    let presented = |expires: &str| crafted(&get(), &COVERED[..4], &(good_params() + expires)).unwrap();
    let plain = presented("");
    for (now, window) in [
        (1_700_000_000, Window::Inside),
        (1_700_000_300, Window::Inside),
        (1_700_000_301, Window::Outside { by: -301 }),
        (1_699_999_970, Window::Inside),
        (1_699_999_969, Window::Outside { by: 31 }),
        (i64::MAX, Window::Outside { by: 1_700_000_000 - i64::MAX }),
        (i64::MIN, Window::Outside { by: i64::MAX }),
    ] {
        assert_eq!(plain.window(now), window, "at {now}");
    }
    let short = presented(";expires=1700000010");
    assert_eq!(short.window(1_700_000_010), Window::Inside);
    assert_eq!(short.window(1_700_000_011), Window::Outside { by: -1 });
    assert_eq!(presented(";expires=1800000000").window(1_700_000_301), Window::Outside { by: -301 });
}

#[test]
fn a_presented_signature_is_not_printed() {
    let (input, signature) = craft(&post(), &COVERED, &good_params());
    let shown = format!("{:?}", parse(&[input.as_bytes()], &[signature.as_bytes()]).unwrap());
    assert!(shown.contains("@method") && !shown.contains("signature:"), "{shown}");
}
