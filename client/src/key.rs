//! The key file: one line, `KEYID:BASE64SECRET`.

use std::path::{Path, PathBuf};

use ffleet_protocol::sign::{BadKeyFile, KeyFile};
use ffleet_settings::{SecretFileError, SecretReaders, read_secret_file};
use secrecy::ExposeSecret;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read, or others can.
    #[error("the key cannot be used: {}{}", .0, way_out(.0))]
    File(SecretFileError),
    /// It holds something else than a key.
    #[error("the key cannot be used: in {}, {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: BadKeyFile,
    },
}

/// There are mounts on which nobody can choose a mode.
fn way_out(error: &SecretFileError) -> &'static str {
    match error {
        SecretFileError::TooOpen { .. } => ", or set `allow_open_files` if its mode cannot be chosen",
        SecretFileError::Unreadable { .. } | SecretFileError::NotAKeyFile { .. } => "",
    }
}

/// Reads the key that signs requests. A file that others may read is refused, since whoever has it can act in its name.
pub fn load_key(path: &Path) -> Result<KeyFile, KeyError> {
    load_key_of(path, SecretReaders::OwnerOnly)
}

/// The same for a file that `readers` may be able to read.
pub fn load_key_of(path: &Path, readers: SecretReaders) -> Result<KeyFile, KeyError> {
    let text = read_secret_file(path, readers).map_err(KeyError::File)?;
    KeyFile::parse(text.expose_secret()).map_err(|why| KeyError::Content { path: path.to_owned(), why })
}
