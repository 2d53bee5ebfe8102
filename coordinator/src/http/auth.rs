//! Who may call. [`Signed`] in a handler's arguments verifies the request and names the role it is for; a handler gets at
//! its caller, and so at any operation, in no other way.
//!
//! The order is part of the contract: the signature, from the head alone; the role; what the head says about the body;
//! then the body, with its digest; then its meaning. Whoever has no key is answered before a byte of the body is looked
//! at; what still comes then is thrown away within bounds ([`super::unread`]).
//!
//! `Expect: 100-continue` is the one exception to the order: the server says 100 by itself, before any of this, as it has
//! no hook for it. It costs nothing: the refusal follows at once, and within the same bounds.

use std::{marker::PhantomData, net::IpAddr, ops::Deref};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::Method, web::Data};
use ffleet_protocol::{
    id::{AccountId, KeyId, RequestId},
    sign::{self, Presented},
    state::Role,
};
use futures_util::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

pub use super::body::{Body, Large, Nothing};
use super::{
    body::{self, Received, Takes},
    error::ApiError,
    front::Front,
    unread::Unread,
    verify::{Head, Refusal, judge},
};
use crate::{
    app::App,
    auth::KnownKey,
    ops::{Caller, IdempotencyKey, OpError, UsedNonce},
    sabotage,
};

/// The longest `Idempotency-Key`.
const LONGEST_KEY: usize = 255;

/// Who a call is for.
pub trait Who: 'static {
    /// The roles that may.
    const ROLES: &'static [Role];
    /// The same for people.
    const WORDS: &'static str;
}

/// Clients, and admins in everybody's place.
#[derive(Debug)]
pub struct Requester;
/// Workers. Not admins: a worker's name is bound to one worker account.
#[derive(Debug)]
pub struct Agent;
/// Admins.
#[derive(Debug)]
pub struct Admin;
/// Every account.
#[derive(Debug)]
pub struct Anyone;

impl Who for Requester {
    const ROLES: &'static [Role] = &[Role::Client, Role::Admin];
    const WORDS: &'static str = "clients and admins";
}

impl Who for Agent {
    const ROLES: &'static [Role] = &[Role::Worker];
    const WORDS: &'static str = "workers";
}

impl Who for Admin {
    const ROLES: &'static [Role] = &[Role::Admin];
    const WORDS: &'static str = "admins";
}

impl Who for Anyone {
    const ROLES: &'static [Role] = Role::ALL;
    const WORDS: &'static str = "every account";
}

/// A request that was signed by an account of the role `W` and carries what `B` says.
#[derive(Debug)]
pub struct Signed<W, B: Takes = Nothing> {
    body: B::Value,
    caller: Caller,
    idempotency_key: Option<String>,
    fingerprint: [u8; 32],
    who: PhantomData<W>,
}

impl<W, B: Takes> Signed<W, B> {
    /// Who asks, and for what.
    pub fn into_parts(self) -> (Caller, B::Value) {
        (self.caller, self.body)
    }

    /// The `Idempotency-Key` that came with it, and what it stands for.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, ApiError> {
        let Some(key) = &self.idempotency_key else { return Ok(None) };
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail =
                format!("Idempotency-Key: expected 1 to {LONGEST_KEY} visible ASCII characters, without spaces");
            return Err(ApiError::bad_request(detail));
        }
        Ok(Some(IdempotencyKey { key: key.clone(), body_hash: self.fingerprint }))
    }
}

/// A signed request can be passed wherever an operation wants to know who asks.
impl<W, B: Takes> Deref for Signed<W, B> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// Left on a request for its log line.
#[derive(Debug, Clone)]
pub(super) struct SignedBy {
    pub(super) account: AccountId,
    pub(super) role: Role,
}

impl<W: Who, B: Takes> FromRequest for Signed<W, B> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let unread = request.extensions().get::<Unread>().cloned().unwrap_or_default();
        let mut payload = unread.take().unwrap_or_else(|| payload.take());
        Box::pin(async move {
            let signed = Self::read(&request, &mut payload).await;
            if signed.is_err() {
                unread.give_back(payload);
            }
            signed
        })
    }
}

impl<W: Who, B: Takes> Signed<W, B> {
    async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<Self, ApiError> {
        let (head, presented, key) = verified(request).await?;
        if !W::ROLES.contains(&key.role) {
            return Err(ApiError::WrongRole { wanted: W::WORDS, is: key.role });
        }
        body::check_head(request, B::LIMIT)?;
        let received = body::receive(payload, B::LIMIT.unwrap_or(0)).await?;
        check_digest(&head, &received)?;
        Ok(Self {
            body: B::read(&received.bytes)?,
            caller: caller(request, &presented, &key)?,
            fingerprint: fingerprint(request, &received),
            idempotency_key: head.idempotency_key,
            who: PhantomData,
        })
    }
}

/// Verifies the head of a request; not a byte of its body is read.
async fn verified(request: &HttpRequest) -> Result<(Head, Presented, std::sync::Arc<KnownKey>), ApiError> {
    let head = head(request)?;
    let inputs = values(request, "signature-input");
    let signatures = values(request, "signature");
    let presented =
        sign::parse(&inputs, &signatures).map_err(|error| unauthorized(head.caller, "no key", &error.to_string()))?;
    let app = data::<App>(request)?;
    let key = match KeyId::new(presented.key_id()) {
        Ok(id) => app.accounts.lookup(&app.store, &id).await.map_err(OpError::from)?,
        Err(_) => None,
    };
    // The store's, so that coordinators whose own clocks differ judge alike.
    let now = app.store.known_now();
    match (judge(&head, &presented, key.as_deref(), now), key) {
        (Ok(()), Some(key)) => {
            let signed_by = SignedBy { account: key.account.clone(), role: key.role };
            request.extensions_mut().insert(signed_by);
            Ok((head, presented, key))
        }
        (Err(Refusal::Skew { created }), _) => Err(ApiError::ClockSkew { created, now: now.as_second() }),
        (Err(Refusal::Unauthorized(reason)), _) => Err(unauthorized(head.caller, presented.key_id(), &reason)),
        (Ok(()), None) => Err(unauthorized(head.caller, presented.key_id(), "no such key")),
    }
}

fn head(request: &HttpRequest) -> Result<Head, ApiError> {
    let front = data::<Front>(request)?;
    let caller = front.caller_address(request);
    let joined = |name| joined(request, name).map_err(|()| unauthorized(caller, "no key", "a header is not text"));
    Ok(Head {
        method: request.method().as_str().to_owned(),
        authority: front.authority(request),
        path: front.path(request),
        query: request.uri().query().map(str::to_owned),
        content_digest: joined("content-digest")?,
        idempotency_key: joined("idempotency-key")?,
        has_body: body::is_announced(request.headers()),
        caller,
    })
}

/// What no other coordinator finds.
fn ours_alone(nonce: &str) -> String {
    format!("{nonce}@{}", std::process::id())
}

/// A good signature over a digest makes the digest the caller's word; the body has to keep it. With neither a body nor a
/// digest there is nothing to keep.
fn check_digest(head: &Head, received: &Received) -> Result<(), ApiError> {
    match &head.content_digest {
        None if received.bytes.is_empty() => Ok(()),
        Some(digest) if sign::digest_matches(digest, &received.sha256) => Ok(()),
        None | Some(_) => Err(unauthorized(head.caller, "a known key", "the body is not the one that was signed")),
    }
}

fn caller(request: &HttpRequest, presented: &Presented, key: &KnownKey) -> Result<Caller, ApiError> {
    let request_id = request.extensions().get::<RequestId>().copied();
    let is_write = !matches!(*request.method(), Method::GET | Method::HEAD);
    let nonce = presented.nonce().filter(|_| is_write).map(|nonce| UsedNonce {
        key_id: key.key_id.clone(),
        nonce: if sabotage::nonces_are_per_process() { ours_alone(nonce) } else { nonce.to_owned() },
        created: presented.created(),
    });
    Ok(Caller {
        account: key.account.clone(),
        role: key.role,
        sees_all: key.scope.sees_all,
        raw_paths: key.scope.raw_paths,
        weight: key.scope.weight,
        request_id: request_id.ok_or_else(|| ApiError::Fault("a request without an id".to_owned()))?,
        nonce,
    })
}

/// What an idempotency key stands for: the method, the path and the body.
fn fingerprint(request: &HttpRequest, received: &Received) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(request.method().as_str());
    hash.update(b"\n");
    hash.update(request.uri().path());
    hash.update(b"\n");
    hash.update(received.sha256);
    hash.finalize().into()
}

/// The cause is for us; the caller hears one sentence whatever it was.
fn unauthorized(caller: Option<IpAddr>, key_id: &str, reason: &str) -> ApiError {
    let from = caller.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    tracing::info!(key.id = key_id, caller.address = from, "refused a signature: {reason}");
    ApiError::Unauthorized
}

fn data<T: 'static>(request: &HttpRequest) -> Result<&Data<T>, ApiError> {
    let missing = || ApiError::Fault(format!("{} is not among the server's data", std::any::type_name::<T>()));
    request.app_data::<Data<T>>().ok_or_else(missing)
}

fn values<'a>(request: &'a HttpRequest, name: &'static str) -> Vec<&'a [u8]> {
    request.headers().get_all(name).map(|value| value.as_bytes()).collect()
}

/// RFC 9421, 2.1: the values of a header that comes more than once count as one list.
fn joined(request: &HttpRequest, name: &'static str) -> Result<Option<String>, ()> {
    let mut all: Option<String> = None;
    for value in request.headers().get_all(name) {
        let text = value.to_str().map_err(|_| ())?.trim();
        all = Some(match all {
            Some(before) => format!("{before}, {text}"),
            None => text.to_owned(),
        });
    }
    Ok(all)
}
