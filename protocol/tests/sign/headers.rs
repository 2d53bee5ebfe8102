//! The two headers and the parameters in them.

use ffleet_protocol::sign::{FIELD_MAX, Parts, SignatureError, parse};

use crate::*;

#[test]
fn parameters_must_be_there_and_of_their_kind() {
    use SignatureError::{BadParameter, NoParameter, NoneOfOurs};
    let long = format!("nonce=\"{}\"", "n".repeat(129));
    for (name, replacement, error) in [
        ("alg", "", NoParameter("alg")),
        ("alg", "alg=\"hmac-sha512\"", BadParameter("alg", "must be \"hmac-sha256\"")),
        ("alg", "alg=\"HMAC-SHA256\"", BadParameter("alg", "must be \"hmac-sha256\"")),
        ("alg", "alg=\"none\"", BadParameter("alg", "must be \"hmac-sha256\"")),
        ("alg", "alg=\"\"", BadParameter("alg", "must be \"hmac-sha256\"")),
        ("alg", "alg=hmac-sha256", BadParameter("alg", "must be a string")),
        ("alg", "alg", BadParameter("alg", "must be a string")),
        ("created", "", NoParameter("created")),
        ("created", "created=\"1700000000\"", BadParameter("created", "must be an integer")),
        ("created", "created=1700000000.0", BadParameter("created", "must be an integer")),
        ("created", "created=@1700000000", BadParameter("created", "must be an integer")),
        ("created", "created", BadParameter("created", "must be an integer")),
        ("created", "created=1700000000;expires=\"x\"", BadParameter("expires", "must be an integer")),
        ("keyid", "", NoParameter("keyid")),
        ("keyid", "keyid=farm-1", BadParameter("keyid", "must be a string")),
        ("keyid", "keyid=:AAAA:", BadParameter("keyid", "must be a string")),
        ("nonce", "nonce=1234567890", BadParameter("nonce", "must be a string")),
        ("nonce", "nonce=\"fifteen.letters\"", BadParameter("nonce", "must have 16 to 128 characters")),
        ("nonce", "nonce=\"\"", BadParameter("nonce", "must have 16 to 128 characters")),
        ("nonce", &long, BadParameter("nonce", "must have 16 to 128 characters")),
        ("tag", "", NoneOfOurs),
        ("tag", "tag=\"FFLEET\"", NoneOfOurs),
        ("tag", "tag=ffleet", NoneOfOurs),
        ("tag", "tag=\"other\"", NoneOfOurs),
    ] {
        let text = params(name, replacement);
        assert_eq!(crafted(&post(), &COVERED, &text).unwrap_err(), error, "{text}");
    }
    let without_nonce = crafted(&post(), &COVERED, &params("nonce", "")).unwrap();
    assert_eq!(without_nonce.verify(&post(), true, &secret()), Err(NoParameter("nonce")));
    for (method, holds) in [("GET", true), ("HEAD", true), ("get", false), ("OPTIONS", false), ("DELETE", false)] {
        let parts = Parts { method, ..get() };
        let presented = crafted(&parts, &COVERED[..4], &params("nonce", "")).unwrap();
        assert_eq!(presented.verify(&parts, false, &secret()).is_ok(), holds, "{method} without a nonce");
    }
}

#[test]
fn of_several_signatures_exactly_one_may_be_ours() {
    let (input, signature) = craft(&post(), &COVERED, &good_params());
    let both = |input: &[&[u8]], signature: &[&[u8]]| {
        parse(input, signature).and_then(|presented| presented.verify(&post(), true, &secret()))
    };
    // Others sign too; one of them even uses a label like ours.
    let others = r#"proxy=("@path");created=1;keyid="p";alg="rsa-v1_5-sha256", ffleet=("@method");tag="web""#;
    let values = "proxy=:AAAA:, ffleet=:BBBB:";
    assert_eq!(both(&[others.as_bytes(), input.as_bytes()], &[signature.as_bytes(), values.as_bytes()]), Ok(()));
    let line = format!("{others}, {input}");
    let value = format!("{values}, {signature}");
    assert_eq!(both(&[line.as_bytes()], &[value.as_bytes()]), Ok(()));
    assert_eq!(both(&[others.as_bytes()], &[values.as_bytes()]), Err(SignatureError::NoneOfOurs));

    let second = input.replacen("sig1", "sig2", 1);
    let second_value = signature.replacen("sig1", "sig2", 1);
    assert_eq!(
        both(&[input.as_bytes(), second.as_bytes()], &[signature.as_bytes(), second_value.as_bytes()]),
        Err(SignatureError::Several)
    );
    let twice = both(&[input.as_bytes(), input.as_bytes()], &[signature.as_bytes()]).unwrap_err();
    assert_eq!(twice.to_string(), "Signature-Input: \"sig1\" occurs twice");
    let twice = both(&[input.as_bytes()], &[signature.as_bytes(), signature.as_bytes()]).unwrap_err();
    assert_eq!(twice.to_string(), "Signature: \"sig1\" occurs twice");
    assert_eq!(both(&[input.as_bytes()], &[second_value.as_bytes()]), Err(SignatureError::NoValue("sig1".into())));
}

#[test]
fn malformed_headers_are_refused() {
    let (input, signature) = craft(&post(), &COVERED, &good_params());
    let good = (input.as_bytes(), signature.as_bytes());
    assert!(parse(&[good.0], &[good.1]).is_ok());
    assert_eq!(parse(&[], &[good.1]), Err(SignatureError::NoHeader("Signature-Input")));
    assert_eq!(parse(&[good.0], &[]), Err(SignatureError::NoHeader("Signature")));
    let nonce_twice = input.clone() + ";nonce=\"AAECAwQFBgcICQoL\"";
    let long = format!("{input}, x=\"{}\"", "x".repeat(FIELD_MAX));
    let cases: &[&[u8]] = &[
        b"",
        b" ",
        b",",
        b"sig1",
        b"sig1=",
        b"sig1=1",
        b"sig1=(",
        b"sig1=()",
        b"sig1=(\"@method\"",
        b"sig1=(\"@method)",
        b"sig1=(\"@method\"\"@path\");tag=\"ffleet\"",
        b"sig1=(\"@method\",\"@path\");tag=\"ffleet\"",
        b"sig1=(\"@method\");",
        b"sig1=(\"@method\");tag=",
        b"sig1=(\"@method\");tag=\"ffleet",
        b"sig1=(\"@method\");tag=\"ff\\leet\"",
        b"sig1=(\"@method\");tag=\"ffleet\"; ",
        b"sig1=(\"@method\") ;tag=\"ffleet\"",
        b"sig1=(\"@method\");created=1234567890123456;tag=\"ffleet\"",
        b"sig1=(\"@method\");Tag=\"ffleet\"",
        b"SIG1=(\"@method\");tag=\"ffleet\"",
        b"sig1=(\"@method\");tag=\"ffleet\",",
        b"sig1=(\"@method\");tag=\"ffleet\",,a=1",
        b"sig1=\"@method\";tag=\"ffleet\"",
        b"sig1=(\"@m\xc3\xa4thod\");tag=\"ffleet\"",
        b"sig1=(\"@method\");tag=\"ffleet\"\xff",
        b"\xef\xbb\xbfsig1=(\"@method\");tag=\"ffleet\"",
        b"sig1=(\"@method\");tag=\"ff\0leet\"",
        b"sig1=(\"@method\")\r\n;tag=\"ffleet\"",
        nonce_twice.as_bytes(),
        long.as_bytes(),
    ];
    for case in cases {
        let shown = String::from_utf8_lossy(case).chars().take(80).collect::<String>();
        match parse(&[case], &[good.1]).unwrap_err() {
            SignatureError::Malformed { header: "Signature-Input", .. } | SignatureError::NoneOfOurs => {}
            other => panic!("{shown:?} gave {other}"),
        }
    }
    let values: &[&[u8]] = &[
        b"",
        b"sig1",
        b"sig1=AAAA",
        b"sig1=\"AAAA\"",
        b"sig1=:AAAA",
        b"sig1=:AA*A:",
        b"sig1=:A:",
        b"sig1=(:AAAA:)",
        b"sig1=:AAAA:, ",
        b"sig1=:AAAA:\xff",
        b"sig1=:\xc3\xa4:",
        b"sig2=:AAAA:",
        long.as_bytes(),
    ];
    for value in values {
        let shown = String::from_utf8_lossy(value).chars().take(80).collect::<String>();
        match parse(&[good.0], &[value]).unwrap_err() {
            SignatureError::Malformed { header: "Signature", .. } | SignatureError::NoValue(_) => {}
            other => panic!("{shown:?} gave {other}"),
        }
    }
    for value in ["sig1=::", "sig1=:AAAA:", &signature.replace("sig1=:", "sig1=:AAAA")] {
        let short = parse(&[good.0], &[value.as_bytes()]).unwrap();
        assert_eq!(short.verify(&post(), true, &secret()), Err(SignatureError::Mismatch), "{value}");
    }
}
