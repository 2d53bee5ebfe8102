//! What a signature covers.

use ffleet_protocol::sign::{BaseError, Parts, SignError, SignatureError, content_digest, parse, sign};

use crate::*;

#[test]
fn every_component_must_be_covered() {
    for left_out in COVERED {
        let covered: Vec<_> = COVERED.into_iter().filter(|name| *name != left_out).collect();
        let presented = crafted(&post(), &covered, &good_params()).unwrap();
        assert_eq!(presented.verify(&post(), true, &secret()), Err(SignatureError::NotCovered(left_out)));
    }
    let none = crafted(&post(), &[], &good_params()).unwrap();
    assert_eq!(none.verify(&post(), true, &secret()), Err(SignatureError::NotCovered("@method")));
}

#[test]
fn no_component_may_be_covered_twice() {
    for (index, twice) in COVERED.into_iter().enumerate() {
        for at in [index, COVERED.len()] {
            let mut covered = COVERED.to_vec();
            covered.insert(at, twice);
            let presented = crafted(&post(), &covered, &good_params()).unwrap();
            let error = BaseError::Twice(twice.to_owned()).into();
            assert_eq!(presented.verify(&post(), true, &secret()), Err(error));
        }
    }
}

#[test]
fn any_order_holds_that_was_signed_and_no_other() {
    let (_, signature) = craft(&post(), &COVERED, &good_params());
    for (left, right) in [(0, 1), (0, 5), (2, 3), (4, 5)] {
        let mut covered = COVERED;
        covered.swap(left, right);
        let presented = crafted(&post(), &covered, &good_params()).unwrap();
        assert_eq!(presented.verify(&post(), true, &secret()), Ok(()), "{covered:?} as signed");
        let (input, _) = craft(&post(), &covered, &good_params());
        let tampered = parse(&[input.as_bytes()], &[signature.as_bytes()]).unwrap();
        assert_eq!(tampered.verify(&post(), true, &secret()), Err(SignatureError::Mismatch), "{covered:?} reordered");
    }
}

#[test]
fn parameters_count_in_the_order_received() {
    for text in [
        r#";tag="ffleet";alg="hmac-sha256";keyid="farm-1";nonce="AAECAwQFBgcICQoL";created=1700000000"#,
        r#";keyid="farm-1";created=1700000000;expires=1700000100;tag="ffleet";nonce="AAECAwQFBgcICQoL";alg="hmac-sha256""#,
        r#";created=1700000000;x=1.5;y;z=?0;d=@17;b=:AAEC:;t=tok;nonce="AAECAwQFBgcICQoL";keyid="farm-1";alg="hmac-sha256";tag="ffleet""#,
    ] {
        assert_eq!(crafted(&post(), &COVERED, text).unwrap().verify(&post(), true, &secret()), Ok(()), "{text}");
        let (_, signature) = craft(&post(), &COVERED, text);
        let (input, _) = craft(&post(), &COVERED, &good_params());
        let tampered = parse(&[input.as_bytes()], &[signature.as_bytes()]).unwrap();
        assert_eq!(tampered.verify(&post(), true, &secret()), Err(SignatureError::Mismatch), "{text}");
    }
}

#[test]
fn nothing_that_is_covered_can_be_changed() {
    let headers = sign(&post(), &key(), &secret(), &at(1_700_000_000, Some(NONCE))).unwrap();
    let presented = parse(&[headers.input.as_bytes()], &[headers.signature.as_bytes()]).unwrap();
    let other_digest = content_digest(b"{}");
    for changed in [
        Parts { method: "PUT", ..post() },
        Parts { method: "post", ..post() },
        Parts { authority: "[::1]:8462", ..post() },
        Parts { path: "/v1/jobs/", ..post() },
        Parts { path: "/v1/%6Aobs", ..post() },
        Parts { query: Some("a"), ..post() },
        Parts { query: Some("?"), ..post() },
        Parts { content_digest: Some(&other_digest), ..post() },
        Parts { idempotency_key: Some("k-2"), ..post() },
    ] {
        assert_eq!(presented.verify(&changed, true, &secret()), Err(SignatureError::Mismatch), "{changed:?}");
    }
    assert_eq!(
        presented.verify(&Parts { authority: "[::1]:8461", query: Some(""), ..post() }, true, &secret()),
        Ok(())
    );
    for (header, error) in [
        ("content-digest", Parts { content_digest: None, ..post() }),
        ("idempotency-key", Parts { idempotency_key: None, ..post() }),
    ]
    .map(|(name, parts)| (parts, SignatureError::Base(BaseError::Absent(name.to_owned()))))
    {
        assert_eq!(presented.verify(&header, false, &secret()), Err(error));
    }
}

#[test]
fn headers_that_come_later_must_be_covered_too() {
    let headers = sign(&get(), &key(), &secret(), &at(1_700_000_000, Some(NONCE))).unwrap();
    let presented = parse(&[headers.input.as_bytes()], &[headers.signature.as_bytes()]).unwrap();
    assert_eq!(presented.verify(&get(), true, &secret()), Err(SignatureError::NoDigest));
    let with_digest = Parts { content_digest: Some(DIGEST), ..get() };
    assert_eq!(presented.verify(&with_digest, true, &secret()), Err(SignatureError::NotCovered("content-digest")));
    assert_eq!(presented.verify(&with_digest, false, &secret()), Err(SignatureError::NotCovered("content-digest")));
    let with_key = Parts { idempotency_key: Some("k"), ..get() };
    assert_eq!(presented.verify(&with_key, false, &secret()), Err(SignatureError::NotCovered("idempotency-key")));
}

#[test]
fn components_that_cannot_be_checked_are_refused() {
    let checked = |items: &str| {
        let names = COVERED.map(|name| format!("\"{name}\"")).join(" ");
        let input = format!("s=({names} {items}){}", good_params());
        parse(&[input.as_bytes()], &[b"s=:AAAA:"]).unwrap().verify(&post(), true, &secret()).unwrap_err()
    };
    assert_eq!(checked("\"date\""), BaseError::Absent("date".into()).into());
    assert_eq!(checked("\"@target-uri\""), BaseError::Absent("@target-uri".into()).into());
    assert_eq!(checked("\"@signature-params\""), BaseError::Absent("@signature-params".into()).into());
    assert_eq!(checked("\"Content-Digest\""), BaseError::Absent("Content-Digest".into()).into());
    assert_eq!(checked("\"@method\";req"), BaseError::Parameters("@method".into()).into());
    assert_eq!(checked("\"@query-param\";name=\"x\""), BaseError::Parameters("@query-param".into()).into());
    assert_eq!(checked("date"), BaseError::NotAName.into());
    assert_eq!(checked("1"), BaseError::NotAName.into());
}

#[test]
fn only_printable_ascii_can_be_signed() {
    let plain = at(1_700_000_000, Some(NONCE));
    for (name, parts) in [
        ("@path", Parts { path: "/v1/jobs/ä", ..post() }),
        ("@path", Parts { path: "/v1/jobs\n\"@query\": ?", ..post() }),
        ("@query", Parts { query: Some("a=ä"), ..post() }),
        ("@authority", Parts { authority: "bücher.example", ..post() }),
        ("@method", Parts { method: "PO\rST", ..post() }),
        ("content-digest", Parts { content_digest: Some("sha-256=:\u{0}:"), ..post() }),
        ("idempotency-key", Parts { idempotency_key: Some("schlüssel"), ..post() }),
    ] {
        let error = BaseError::Value(name.to_owned());
        assert_eq!(sign(&parts, &key(), &secret(), &plain), Err(SignError::Base(error.clone())));
        let presented = crafted(&post(), &COVERED, &good_params()).unwrap();
        assert_eq!(presented.verify(&parts, true, &secret()), Err(error.into()));
    }
    assert_eq!(sign(&get(), &key(), &secret(), &at(0, Some("ä"))), Err(SignError::Nonce));
    assert_eq!(sign(&get(), &key(), &secret(), &at(i64::MAX, None)), Err(SignError::Time(i64::MAX)));
}
