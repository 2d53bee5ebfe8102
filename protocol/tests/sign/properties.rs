//! For any request.

use ffleet_protocol::{
    id::KeyId,
    sign::{Params, Parts, Secret, content_digest, parse, sign},
};
use proptest::prelude::*;

use crate::{key, secret};

prop_compose! {
    fn text()(text in "[ -~]{0,40}") -> String { text }
}

#[derive(Debug, Clone)]
struct Request {
    method: String,
    authority: String,
    path: String,
    query: Option<String>,
    digest: Option<String>,
    idempotency: Option<String>,
}

impl Request {
    fn parts(&self) -> Parts<'_> {
        Parts {
            method: &self.method,
            authority: &self.authority,
            path: &self.path,
            query: self.query.as_deref(),
            content_digest: self.digest.as_deref(),
            idempotency_key: self.idempotency.as_deref(),
        }
    }
}

prop_compose! {
    fn any_request()(
        method in "[A-Z-]{1,10}",
        authority in "[A-Za-z0-9.:\\[\\]-]{1,30}",
        path in "(/[!-~]{0,40})?",
        query in proptest::option::of("[!-~]{0,40}"),
        body in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..100)),
        idempotency in proptest::option::of(text()),
    ) -> Request {
        Request { method, authority, path, query, digest: body.map(|body| content_digest(&body)), idempotency }
    }
}

prop_compose! {
    fn any_params()(
        created in -999_999_999_999_999_i64..=999_999_999_999_999,
        expires in proptest::option::of(-999_999_999_999_999_i64..=999_999_999_999_999),
        nonce in "[ -~]{16,128}",
    ) -> Params {
        Params { created, nonce: Some(nonce), expires }
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies(
        request in any_request(),
        params in any_params(),
        key_id in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}",
        bytes in proptest::collection::vec(any::<u8>(), 32..100),
    ) {
        let secret = Secret::from_bytes(bytes);
        let headers = sign(&request.parts(), &KeyId::new(&*key_id).unwrap(), &secret, &params).unwrap();
        let presented = parse(&[headers.input.as_bytes()], &[headers.signature.as_bytes()]).unwrap();
        prop_assert_eq!(presented.key_id(), key_id);
        prop_assert_eq!(presented.created(), params.created);
        prop_assert_eq!(presented.expires(), params.expires);
        prop_assert_eq!(presented.nonce(), params.nonce.as_deref());
        prop_assert_eq!(presented.verify(&request.parts(), request.digest.is_some(), &secret), Ok(()));
    }

    #[test]
    fn no_other_request_verifies(signed in any_request(), sent in any_request(), params in any_params()) {
        let headers = sign(&signed.parts(), &key(), &secret(), &params).unwrap();
        let presented = parse(&[headers.input.as_bytes()], &[headers.signature.as_bytes()]).unwrap();
        prop_assert!(presented.verify(&sent.parts(), sent.digest.is_some(), &secret()).is_err());
        // Fields cannot flow into each other either.
        let moved = Request { path: signed.path.clone() + "x", ..signed };
        prop_assert!(presented.verify(&moved.parts(), moved.digest.is_some(), &secret()).is_err());
    }

    #[test]
    fn nothing_makes_the_parser_stumble(
        input in proptest::collection::vec(any::<u8>(), 0..200),
        text in "[ -~]{0,100}",
        value in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = parse(&[&input], &[&value]);
        let _ = parse(&[format!("a=(\"@method\");tag=\"ffleet\";{text}").as_bytes()], &[b"a=:AAAA:"]);
    }
}
