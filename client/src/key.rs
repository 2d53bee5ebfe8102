//! The key file: one line, `KEYID:BASE64SECRET`.

use std::path::{Path, PathBuf};

use ffleet_protocol::sign::KeyFile;
use ffleet_settings::{SecretReaders, read_secret_file};
use secrecy::ExposeSecret;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("key file {}: {why}", path.display())]
pub struct KeyError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub why: String,
}

/// Reads the key that signs requests. A file that others may read is refused, since whoever has it can act in its name.
pub fn load_key(path: &Path) -> Result<KeyFile, KeyError> {
    let bad = |why: String| KeyError { path: path.to_owned(), why };
    let text = read_secret_file(path, SecretReaders::OwnerOnly).map_err(|error| bad(error.to_string()))?;
    KeyFile::parse(text.expose_secret()).map_err(|error| bad(error.to_string()))
}
