//! Whether a request is signed by somebody we know. Pure: the key is looked up before and the time is passed in.

use std::{borrow::Cow, net::IpAddr, sync::LazyLock};

use ffleet_protocol::{
    Timestamp,
    sign::{Parts, Presented, Secret, SignatureError, Window},
};

use crate::auth::KnownKey;

/// What a request's head says, as far as its signature covers it.
#[derive(Debug)]
pub struct Head {
    /// The method.
    pub method: String,
    /// `@authority`, if it is one of ours.
    pub authority: Option<String>,
    /// As the caller wrote it.
    pub path: String,
    /// Without its question mark.
    pub query: Option<String>,
    /// The values of the header, joined.
    pub content_digest: Option<String>,
    /// The values of the header, joined.
    pub idempotency_key: Option<String>,
    /// Whether a body follows.
    pub has_body: bool,
    /// Where the caller is, if that can be told.
    pub caller: Option<IpAddr>,
}

/// Why a request is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// For our log only: the caller is told the same in every case.
    Unauthorized(Cow<'static, str>),
    /// The signature holds, its time does not.
    Skew {
        /// When it says it was made, in seconds since 1970.
        created: i64,
    },
}

/// An unknown key id costs the same work as a known one, so that time does not tell them apart.
static DUMMY: LazyLock<Secret> = LazyLock::new(|| Secret::from_bytes(vec![0x5a; 32]));

/// Judges a signature that was made with `key`, if that is a key of ours.
pub fn judge(head: &Head, presented: &Presented, key: Option<&KnownKey>, now: Timestamp) -> Result<(), Refusal> {
    let mac = mac_holds(head, presented, key.map_or(&*DUMMY, |key| &key.secret));
    let no = |reason: &'static str| Err(Refusal::Unauthorized(Cow::Borrowed(reason)));
    let Some(key) = key else { return no("no such key") };
    if let Err(error) = mac {
        return Err(Refusal::Unauthorized(Cow::Owned(error.to_string())));
    }
    if head.authority.is_none() {
        return no("it is addressed to a name that is not among public_names");
    }
    if !key.enabled {
        return no("the account is disabled");
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return no("the key has expired");
    }
    if !may_come_from(key, head.caller) {
        return no("the account may not come from this network");
    }
    match presented.window(now.as_second()) {
        Window::Inside => Ok(()),
        Window::Outside { .. } => Err(Refusal::Skew { created: presented.created() }),
    }
}

fn mac_holds(head: &Head, presented: &Presented, secret: &Secret) -> Result<(), SignatureError> {
    let parts = Parts {
        method: &head.method,
        authority: head.authority.as_deref().unwrap_or_default(),
        path: &head.path,
        query: head.query.as_deref(),
        content_digest: head.content_digest.as_deref(),
        idempotency_key: head.idempotency_key.as_deref(),
    };
    presented.verify(&parts, head.has_body, secret)
}

/// An address that cannot be told is in no network.
fn may_come_from(key: &KnownKey, caller: Option<IpAddr>) -> bool {
    key.networks.is_empty()
        || caller.is_some_and(|address| key.networks.iter().any(|network| network.contains(&address)))
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::{
        account::Scope,
        id::{AccountId, KeyId},
        sign::{self, Params},
        state::Role,
    };

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn key() -> KnownKey {
        KnownKey {
            account: AccountId::new("alice").unwrap(),
            key_id: KeyId::new("alice.1").unwrap(),
            role: Role::Client,
            scope: Scope::default(),
            networks: Vec::new(),
            secret: Secret::from_bytes(vec![7; 32]),
            enabled: true,
            expires_at: None,
        }
    }

    fn head() -> Head {
        Head {
            method: "POST".to_owned(),
            authority: Some("localhost:8461".to_owned()),
            path: "/v1/jobs".to_owned(),
            query: None,
            content_digest: Some(sign::content_digest(b"{}")),
            idempotency_key: None,
            has_body: true,
            caller: "10.1.2.3".parse().ok(),
        }
    }

    fn signed(head: &Head, created: i64) -> Presented {
        let parts = Parts {
            method: &head.method,
            authority: head.authority.as_deref().unwrap(),
            path: &head.path,
            query: head.query.as_deref(),
            content_digest: head.content_digest.as_deref(),
            idempotency_key: head.idempotency_key.as_deref(),
        };
        let params = Params { created, nonce: Some("AAAAAAAAAAAAAAAAAAAAAA".to_owned()), expires: None };
        let headers = sign::sign(&parts, &key().key_id, &key().secret, &params).unwrap();
        sign::parse(&[headers.input.as_bytes()], &[headers.signature.as_bytes()]).unwrap()
    }

    fn judged(head: &Head, presented: &Presented, key: Option<&KnownKey>) -> Result<(), Refusal> {
        judge(head, presented, key, Timestamp::from_second(NOW).unwrap())
    }

    fn refused(result: &Result<(), Refusal>) -> bool {
        matches!(result, Err(Refusal::Unauthorized(_)))
    }

    #[test]
    fn a_good_signature_is_taken_and_every_change_of_the_request_breaks_it() {
        let presented = signed(&head(), NOW);
        assert_eq!(judged(&head(), &presented, Some(&key())), Ok(()));
        let changes: [fn(&mut Head); 7] = [
            |head| head.method = "PUT".to_owned(),
            |head| head.authority = Some("localhost:9".to_owned()),
            |head| head.path = "/v1/job".to_owned(),
            |head| head.query = Some("a".to_owned()),
            |head| head.content_digest = Some(sign::content_digest(b"[]")),
            |head| head.content_digest = None,
            |head| head.idempotency_key = Some("k".to_owned()),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = head();
            change(&mut changed);
            assert!(refused(&judged(&changed, &presented, Some(&key()))), "change {number}");
        }
    }

    #[test]
    fn the_key_must_be_usable_and_the_name_ours() {
        let presented = signed(&head(), NOW);
        assert!(refused(&judged(&head(), &presented, None)));
        let other = KnownKey { secret: Secret::from_bytes(vec![8; 32]), ..key() };
        assert!(refused(&judged(&head(), &presented, Some(&other))));
        assert!(refused(&judged(&head(), &presented, Some(&KnownKey { enabled: false, ..key() }))));
        let expired = KnownKey { expires_at: Timestamp::from_second(NOW).ok(), ..key() };
        assert!(refused(&judged(&head(), &presented, Some(&expired))));
        assert!(refused(&judged(&Head { authority: None, ..head() }, &presented, Some(&key()))));
    }

    #[test]
    fn networks_hold_for_addresses_that_can_be_told() {
        let presented = signed(&head(), NOW);
        let limited = KnownKey { networks: vec!["10.0.0.0/8".parse().unwrap()], ..key() };
        let from = |address: Option<&str>| Head { caller: address.map(|text| text.parse().unwrap()), ..head() };
        assert_eq!(judged(&from(Some("10.9.9.9")), &presented, Some(&limited)), Ok(()));
        assert!(refused(&judged(&from(Some("192.168.0.1")), &presented, Some(&limited))));
        assert!(refused(&judged(&from(None), &presented, Some(&limited))));
        assert_eq!(judged(&from(None), &presented, Some(&key())), Ok(()));
    }

    #[test]
    fn a_wrong_clock_is_told_to_those_with_a_good_signature_only() {
        for created in [NOW - 300, NOW, NOW + 30] {
            assert_eq!(judged(&head(), &signed(&head(), created), Some(&key())), Ok(()), "{created}");
        }
        for created in [NOW - 301, NOW + 31] {
            let presented = signed(&head(), created);
            assert_eq!(judged(&head(), &presented, Some(&key())), Err(Refusal::Skew { created }));
            assert!(refused(&judged(&head(), &presented, None)));
            assert!(refused(&judged(&head(), &presented, Some(&KnownKey { enabled: false, ..key() }))));
        }
    }
}
