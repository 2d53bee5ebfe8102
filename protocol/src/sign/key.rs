//! Keys and the file that holds one.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::id::KeyId;

/// Fewest bytes of a secret.
const SECRET_MIN: usize = 32;

/// Padding is often lost when text is copied.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secret part of a key. Its memory is wiped when it goes, and it is never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A text that is no secret. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Not base64.
    #[error("the secret is not base64; copy it again, or make a new key")]
    NotBase64,
    /// Too few bytes.
    #[error("the secret has {0} bytes where at least 32 are needed; is its end missing?")]
    TooShort(usize),
}

impl Secret {
    /// Reads at least 32 bytes in base64, with or without padding.
    pub fn from_base64(text: &str) -> Result<Self, BadSecret> {
        let bytes = Zeroizing::new(LENIENT.decode(text).map_err(|_| BadSecret::NotBase64)?);
        if bytes.len() < SECRET_MIN {
            return Err(BadSecret::TooShort(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// Takes bytes that were made as a secret.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes in base64.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(&*self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

/// What a key file holds: one line, `KEYID:BASE64SECRET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The `keyid` of signatures.
    pub key_id: KeyId,
    /// What they are made with.
    pub secret: Secret,
}

/// A text that is no key file. It never quotes the text, part of which may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyFile {
    /// Nothing in it.
    #[error("it is empty; it must hold one line, KEYID:SECRET")]
    Empty,
    /// More than one line.
    #[error("it has several lines; it must hold one, KEYID:SECRET")]
    SeveralLines,
    /// No colon.
    #[error("it has no ':' between key id and secret; it must hold one line, KEYID:SECRET")]
    NoColon,
    /// The first part cannot be a key id.
    #[error("what stands before the ':' is not a key id: {0}")]
    KeyId(&'static str),
    /// The second part cannot be a secret.
    #[error(transparent)]
    Secret(#[from] BadSecret),
}

impl KeyFile {
    /// Reads the text of a key file. White space around the line does not matter.
    pub fn parse(text: &str) -> Result<Self, BadKeyFile> {
        let line = text.trim();
        if line.is_empty() {
            return Err(BadKeyFile::Empty);
        }
        if line.contains(['\n', '\r']) {
            return Err(BadKeyFile::SeveralLines);
        }
        let (key_id, secret) = line.split_once(':').ok_or(BadKeyFile::NoColon)?;
        let key_id = KeyId::new(key_id).map_err(|error| BadKeyFile::KeyId(error.why))?;
        Ok(Self { key_id, secret: Secret::from_base64(secret)? })
    }

    /// The text of a key file, with its line end.
    #[must_use]
    pub fn print(&self) -> Zeroizing<String> {
        let secret = self.secret.to_base64();
        // Sized beforehand, so that no half-grown copy of the secret stays behind in memory.
        let mut text = Zeroizing::new(String::with_capacity(self.key_id.as_str().len() + secret.len() + 2));
        text.push_str(self.key_id.as_str());
        text.push(':');
        text.push_str(&secret);
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> KeyFile {
        KeyFile { key_id: KeyId::new("farm.1").unwrap(), secret: Secret::from_bytes((0..32).collect()) }
    }

    #[test]
    fn a_key_file_is_read_as_it_was_written() {
        let text = key().print();
        assert_eq!(&*text, "farm.1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
        for spelling in
            [text.as_str(), text.trim(), &format!("  {}\r\n\n", text.trim()), text.trim().trim_end_matches('=')]
        {
            assert_eq!(KeyFile::parse(spelling), Ok(key()), "{spelling:?}");
        }
    }

    #[test]
    fn what_is_no_key_file_is_said_without_quoting_it() {
        let short = format!("k:{}", STANDARD.encode([7; 31]));
        for (text, error) in [
            ("", BadKeyFile::Empty),
            (" \n", BadKeyFile::Empty),
            ("a\nb", BadKeyFile::SeveralLines),
            ("canary", BadKeyFile::NoColon),
            (":canary", BadKeyFile::KeyId("expected 1 to 64 characters")),
            ("cana ry:x", BadKeyFile::KeyId("only letters, digits, '.', '_' and '-' are allowed")),
            ("k:canary!", BadKeyFile::Secret(BadSecret::NotBase64)),
            ("k:ca nary", BadKeyFile::Secret(BadSecret::NotBase64)),
            ("k:", BadKeyFile::Secret(BadSecret::TooShort(0))),
            (&short, BadKeyFile::Secret(BadSecret::TooShort(31))),
        ] {
            assert_eq!(KeyFile::parse(text), Err(error), "{text:?}");
            assert!(!error.to_string().contains("canary"));
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let text = format!("{:?}", key());
        assert_eq!(text, "KeyFile { key_id: KeyId(\"farm.1\"), secret: Secret(…) }");
    }
}
