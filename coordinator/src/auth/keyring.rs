//! The master keys in memory: the current one seals, it and the earlier ones open.
//!
//! A stolen database shows no secret without them, and because every sealed secret is bound to its key id and role, rows
//! cannot be exchanged to make a client's key an admin's.

use std::{fmt, sync::Arc};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use ffleet_protocol::{id::KeyId, sign::Secret, state::Role};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;
/// Bytes of the nonce in front of a sealed secret; random, because 192 bits do not collide.
const NONCE_BYTES: usize = 24;

/// The master keys. Cheap to clone, never printed.
#[derive(Clone)]
pub struct Keyring(Arc<Keys>);

struct Keys {
    current: MasterKey,
    older: Vec<MasterKey>,
}

struct MasterKey {
    id: String,
    bytes: Zeroizing<[u8; MASTER_KEY_BYTES]>,
}

/// A secret as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which master key opens it.
    pub master_key_id: String,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// Why a secret could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// None of the configured master keys sealed it.
    #[error("it is sealed with the master key {id}, which is not configured; add its file to `master_key.older`")]
    UnknownMasterKey {
        /// That key's id.
        id: String,
    },
    /// The row was changed, or exchanged with another.
    #[error("it does not open: the row was changed outside ffleet")]
    DoesNotOpen,
    /// Cannot happen with secrets of our size.
    #[error("it cannot be sealed")]
    CannotSeal,
}

/// Whose fingerprint an installation bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognized {
    /// The current master key's.
    Current,
    /// An earlier one's.
    Older,
    /// None of ours.
    No,
}

impl Keyring {
    /// A keyring of these keys.
    #[must_use]
    pub fn new(
        current: Zeroizing<[u8; MASTER_KEY_BYTES]>,
        older: impl IntoIterator<Item = Zeroizing<[u8; MASTER_KEY_BYTES]>>,
    ) -> Self {
        let older = older.into_iter().map(MasterKey::new).collect();
        Self(Arc::new(Keys { current: MasterKey::new(current), older }))
    }

    /// Seals the secret of a key. Only the same key id and role open it again.
    pub fn seal(&self, key_id: &KeyId, role: Role, secret: &Secret) -> Result<Sealed, KeyringError> {
        let key = &self.0.current;
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce);
        let associated = associated_data(key_id, role);
        let payload = Payload { msg: secret.expose(), aad: &associated };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| KeyringError::CannotSeal)?;
        Ok(Sealed { master_key_id: key.id.clone(), bytes: [&nonce[..], &sealed].concat() })
    }

    /// Opens the secret of a key.
    pub fn open(&self, key_id: &KeyId, role: Role, sealed: &Sealed) -> Result<Secret, KeyringError> {
        let key = std::iter::once(&self.0.current)
            .chain(&self.0.older)
            .find(|key| key.id == sealed.master_key_id)
            .ok_or_else(|| KeyringError::UnknownMasterKey { id: sealed.master_key_id.clone() })?;
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE_BYTES>().ok_or(KeyringError::DoesNotOpen)?;
        let associated = associated_data(key_id, role);
        let payload = Payload { msg: ciphertext, aad: &associated };
        let opened = key.cipher().decrypt(&XNonce::from(*nonce), payload);
        opened.map(Secret::from_bytes).map_err(|_| KeyringError::DoesNotOpen)
    }

    /// Id of the key that seals.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.0.current.id
    }

    /// Whether what a master key of this id has sealed can be opened.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        std::iter::once(&self.0.current).chain(&self.0.older).any(|key| key.id == id)
    }

    /// What an installation keeps to recognize its master key by. It says nothing about the key.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        self.0.current.fingerprint()
    }

    /// Whether a fingerprint is that of one of our keys.
    #[must_use]
    pub fn recognize(&self, fingerprint: &[u8]) -> Recognized {
        let is = |key: &MasterKey| bool::from(key.fingerprint().ct_eq(fingerprint));
        if is(&self.0.current) {
            Recognized::Current
        } else if self.0.older.iter().any(is) {
            Recognized::Older
        } else {
            Recognized::No
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("current", &self.0.current.id).finish_non_exhaustive()
    }
}

impl MasterKey {
    fn new(bytes: Zeroizing<[u8; MASTER_KEY_BYTES]>) -> Self {
        let digest = Sha256::digest(&bytes[..]);
        let id = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { id, bytes }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn fingerprint(&self) -> Vec<u8> {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.bytes[..]).expect("any length is allowed");
        mac.update(b"ffleet installation");
        mac.finalize().into_bytes().to_vec()
    }
}

/// Neither part can hold a NUL, so no two pairs look alike.
fn associated_data(key_id: &KeyId, role: Role) -> Vec<u8> {
    format!("ffleet key\0{key_id}\0{role}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(current: u8, older: &[u8]) -> Keyring {
        let key = |byte: u8| Zeroizing::new([byte; MASTER_KEY_BYTES]);
        Keyring::new(key(current), older.iter().map(|byte| key(*byte)))
    }

    fn key_id(text: &str) -> KeyId {
        KeyId::new(text).unwrap()
    }

    fn secret() -> Secret {
        Secret::from_bytes((0..32).collect())
    }

    #[test]
    fn what_was_sealed_opens() {
        let ring = ring(1, &[]);
        let sealed = ring.seal(&key_id("a.1"), Role::Client, &secret()).unwrap();
        assert_eq!(ring.open(&key_id("a.1"), Role::Client, &sealed), Ok(secret()));
        assert_eq!(sealed.master_key_id.len(), 16);
        assert!(!sealed.bytes.windows(8).any(|part| part == &secret().expose()[..8]));
        assert_ne!(ring.seal(&key_id("a.1"), Role::Client, &secret()).unwrap(), sealed, "the nonce must be fresh");
    }

    #[test]
    fn neither_another_key_id_nor_another_role_opens_it() {
        let ring = ring(1, &[]);
        let sealed = ring.seal(&key_id("a.1"), Role::Client, &secret()).unwrap();
        for (id, role) in [("a.2", Role::Client), ("a.1", Role::Admin), ("a.1", Role::Worker)] {
            assert_eq!(ring.open(&key_id(id), role, &sealed), Err(KeyringError::DoesNotOpen), "{id} {role}");
        }
    }

    #[test]
    fn a_changed_row_does_not_open() {
        let ring = ring(1, &[]);
        let sealed = ring.seal(&key_id("a.1"), Role::Client, &secret()).unwrap();
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(ring.open(&key_id("a.1"), Role::Client, &changed), Err(KeyringError::DoesNotOpen), "byte {at}");
        }
        for length in [0, 10, 24, 39] {
            let short = Sealed { bytes: sealed.bytes[..length].to_vec(), ..sealed.clone() };
            assert_eq!(ring.open(&key_id("a.1"), Role::Client, &short), Err(KeyringError::DoesNotOpen));
        }
    }

    #[test]
    fn earlier_master_keys_open_and_the_current_one_seals() {
        let sealed = ring(1, &[]).seal(&key_id("a.1"), Role::Worker, &secret()).unwrap();
        let swapped = ring(2, &[1]);
        let opened = swapped.open(&key_id("a.1"), Role::Worker, &sealed).unwrap();
        assert_eq!(opened, secret());
        let again = swapped.seal(&key_id("a.1"), Role::Worker, &opened).unwrap();
        assert_eq!(again.master_key_id, swapped.current_id());
        assert_eq!(ring(2, &[]).open(&key_id("a.1"), Role::Worker, &again), Ok(secret()));
        let unknown = ring(2, &[]).open(&key_id("a.1"), Role::Worker, &sealed).unwrap_err();
        assert_eq!(unknown, KeyringError::UnknownMasterKey { id: sealed.master_key_id });
    }

    #[test]
    fn fingerprints_tell_master_keys_apart() {
        let mark = ring(1, &[]).fingerprint();
        assert_eq!(ring(1, &[2]).recognize(&mark), Recognized::Current);
        assert_eq!(ring(2, &[3, 1]).recognize(&mark), Recognized::Older);
        assert_eq!(ring(2, &[3]).recognize(&mark), Recognized::No);
        assert_eq!(ring(2, &[3]).recognize(b""), Recognized::No);
    }

    #[test]
    fn a_keyring_is_never_printed() {
        let text = format!("{:?}", ring(7, &[8]));
        assert!(!text.contains("7, 7") && !text.contains("0707"), "{text}");
    }
}
