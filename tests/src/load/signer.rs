//! Signed requests, as the bytes that go over the wire.

use std::{fs, io, net::SocketAddr, path::Path};

use ffleet_protocol::{
    Timestamp,
    id::unused,
    sign::{self, KeyFile, Params, Parts},
};
use serde::Serialize;

/// Signs in the name of one account, for one coordinator.
#[derive(Clone)]
pub struct Signer {
    key: KeyFile,
    authority: String,
}

impl Signer {
    /// With the key in this file, for whoever is called by this address.
    ///
    /// # Errors
    /// When there is no key in the file.
    pub fn new(key_file: &Path, address: SocketAddr) -> io::Result<Self> {
        let key = KeyFile::parse(&fs::read_to_string(key_file)?).map_err(io::Error::other)?;
        Ok(Self { key, authority: address.to_string() })
    }

    /// A request without a body.
    #[must_use]
    pub fn get(&self, target: &str) -> Vec<u8> {
        self.request("GET", target, None, None)
    }

    /// A request with this body.
    #[must_use]
    pub fn send(&self, method: &str, target: &str, body: &impl Serialize) -> Vec<u8> {
        self.request(method, target, Some(&json(body)), None)
    }

    /// The same, of which a repetition is known by its key.
    #[must_use]
    pub fn send_once(&self, target: &str, body: &impl Serialize) -> Vec<u8> {
        self.request("POST", target, Some(&json(body)), Some(&unused()))
    }

    /// Any request. `target` is the path with its query.
    ///
    /// # Panics
    /// When it cannot be signed, which is a mistake of the caller's.
    #[must_use]
    pub fn request(&self, method: &str, target: &str, body: Option<&[u8]>, key: Option<&str>) -> Vec<u8> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let digest = body.map(sign::content_digest);
        let nonce = (method != "GET").then(unused);
        let params = Params { created: Timestamp::now().as_second(), nonce, expires: None };
        let parts = Parts {
            method,
            authority: &self.authority,
            path,
            query,
            content_digest: digest.as_deref(),
            idempotency_key: key,
        };
        let signed = sign::sign(&parts, &self.key.key_id, &self.key.secret, &params).expect("a request to sign");
        let mut bytes = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nsignature-input: {}\r\nsignature: {}\r\n",
            self.authority, signed.input, signed.signature
        );
        if let Some(digest) = digest {
            bytes.push_str(&format!("content-type: application/json\r\ncontent-digest: {digest}\r\n"));
        }
        if let Some(key) = key {
            bytes.push_str(&format!("idempotency-key: {key}\r\n"));
        }
        bytes.push_str(&format!("content-length: {}\r\n\r\n", body.map_or(0, <[u8]>::len)));
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        bytes
    }
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("what the protocol says can be written")
}
