//! Master keys come from files with one line: 32 random bytes in base64.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use ffleet_settings::{SecretFileError, SecretReaders, read_secret_file};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::keyring::{Keyring, MASTER_KEY_BYTES};
use crate::config::MasterKey;

/// Why a master key was not taken. It never quotes the file.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file is not there, not readable, or readable by too many.
    #[error("the master key: {cause}{}", hint(cause))]
    File {
        /// What is wrong with the file.
        cause: SecretFileError,
    },
    /// The file holds something else.
    #[error("the master key {}: {detail}; expected {MASTER_KEY_BYTES} random bytes in base64, as `ffleet-coordinator init` makes them", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with its text.
        detail: String,
    },
}

fn hint(cause: &SecretFileError) -> &'static str {
    match cause {
        SecretFileError::Unreadable { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => {
            "; `ffleet-coordinator init` makes one, `master_key.file` says where it is"
        }
        SecretFileError::TooOpen { .. } => ", or set `master_key.allow_open_files = true`",
        SecretFileError::Unreadable { .. } | SecretFileError::NotAKeyFile { .. } => "",
    }
}

/// Reads the master keys that are configured.
///
/// # Errors
/// When a file cannot be read, is readable by others although it must not be, or holds no key.
pub fn load(config: &MasterKey) -> Result<Keyring, MasterKeyError> {
    let current = read(&config.file, config.readers())?;
    let older: Result<Vec<_>, _> = config.older.iter().map(|path| read(path, config.readers())).collect();
    Ok(Keyring::new(current, older?))
}

/// A fresh master key as the text of its file.
#[must_use]
pub fn generate() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    rand::fill(&mut bytes[..]);
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(&bytes[..], &mut text);
    text.push('\n');
    text
}

fn read(path: &Path, readers: SecretReaders) -> Result<Zeroizing<[u8; MASTER_KEY_BYTES]>, MasterKeyError> {
    let text = read_secret_file(path, readers).map_err(|cause| MasterKeyError::File { cause })?;
    let no_key = |detail: String| MasterKeyError::NoKey { path: path.to_owned(), detail };
    let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| no_key("it is not base64".to_owned()))?;
    let bytes = Zeroizing::new(bytes);
    let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
    if bytes.len() != key.len() {
        return Err(no_key(format!("it has {} bytes", bytes.len())));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn error_of(text: &str, mode: u32) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        load(&MasterKey { file: path, ..MasterKey::default() }).unwrap_err().to_string()
    }

    #[test]
    fn what_was_made_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("a"), folder.path().join("b"));
        for path in [&file, &other] {
            ffleet_settings::write_secret_file(path, &generate()).unwrap();
        }
        let one = load(&MasterKey { file: file.clone(), ..MasterKey::default() }).unwrap();
        let two = load(&MasterKey { file: other, older: vec![file], ..MasterKey::default() }).unwrap();
        assert_ne!(one.current_id(), two.current_id());
        assert_eq!(two.recognize(&one.fingerprint()), super::super::Recognized::Older);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let canary = STANDARD.encode([7; 31]);
        let short = error_of(&canary, 0o600);
        assert!(short.contains("it has 31 bytes; expected 32 random bytes") && !short.contains(&canary), "{short}");
        let garbage = error_of("canary!", 0o600);
        assert!(garbage.contains("it is not base64") && !garbage.contains("canary"), "{garbage}");
        let open = error_of(&generate(), 0o644);
        assert!(
            open.contains("mode 0644") && open.contains("chmod 600") && open.contains("allow_open_files"),
            "{open}"
        );
        let missing = load(&MasterKey { file: "/nonexistent/master.key".into(), ..MasterKey::default() }).unwrap_err();
        let missing = missing.to_string();
        assert!(
            missing.contains("/nonexistent/master.key") && missing.contains("ffleet-coordinator init"),
            "{missing}"
        );
    }
}
