//! Secrets are given as files, and a file that everybody can read keeps no secret.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use secrecy::SecretString;

/// Larger than any key; a wrong path should not be read into memory.
const LIMIT: u64 = 64 * 1024;

/// Who besides its owner may read a secret file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretReaders {
    /// Nobody. Files below `$CREDENTIALS_DIRECTORY` are trusted as they are: systemd guards the folder, and grants the
    /// service its right to read by an ACL that looks like a group's.
    OwnerOnly,
    /// Whoever; for mounted secrets whose mode cannot be chosen.
    Anyone,
}

/// Why a secret file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// Not there, or not readable.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Not an ordinary file, or far too large, or not text.
    #[error("{} is no key file: {detail}", path.display())]
    NotAKeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: &'static str,
    },
    /// Readable by others than its owner.
    #[error("{} can be read by others (mode {mode:04o}); run `chmod 600 {}`", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Reads a secret from a file. Its mode is checked on the open file, so nobody can swap it in between.
///
/// # Errors
/// When it cannot be read, is no text of reasonable size, or may be read by others although it must not.
pub fn read_secret_file(path: &Path, readers: SecretReaders) -> Result<SecretString, SecretFileError> {
    let unreadable = |cause| SecretFileError::Unreadable { path: path.to_owned(), cause };
    let no_key = |detail| SecretFileError::NotAKeyFile { path: path.to_owned(), detail };

    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(no_key("it is a folder"));
    }
    let mode = metadata.mode() & 0o7777;
    if readers == SecretReaders::OwnerOnly && mode & 0o077 != 0 && !is_credential(path) {
        return Err(SecretFileError::TooOpen { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    let read = (&mut file).take(LIMIT + 1).read_to_string(&mut text);
    let secret = SecretString::from(text);
    match read {
        Ok(length) if length as u64 > LIMIT => Err(no_key("it is larger than 64 KiB")),
        Ok(_) => Ok(secret),
        Err(cause) if cause.kind() == std::io::ErrorKind::InvalidData => Err(no_key("it is not text")),
        Err(cause) => Err(unreadable(cause)),
    }
}

/// Makes a new file that only its owner can read, and syncs it. Never overwrites: a lost master key loses every account.
///
/// # Errors
/// When the file exists or cannot be written; nothing is left behind then.
pub fn write_secret_file(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is worse than none; that it cannot be removed changes nothing about the first error.
        drop(std::fs::remove_file(path));
    }
    written
}

fn is_credential(path: &Path) -> bool {
    std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|folder| !folder.is_empty() && path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn open_files_are_refused_unless_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "id:c2VjcmV0").unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o660, false)] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let answer = read_secret_file(&path, SecretReaders::OwnerOnly);
            assert_eq!(answer.is_ok(), taken, "mode {mode:o}");
            assert!(read_secret_file(&path, SecretReaders::Anyone).is_ok());
            if let Err(error) = answer {
                let text = error.to_string();
                assert!(text.contains(&format!("{mode:04o}")) && text.contains("chmod 600"), "{text}");
            }
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret_file(&path, SecretReaders::OwnerOnly).unwrap().expose_secret(), "id:c2VjcmV0");
    }

    #[test]
    fn written_files_are_closed_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_secret_file(&path, "first").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_secret_file(&path, "second").unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(read_secret_file(&path, SecretReaders::OwnerOnly).unwrap().expose_secret(), "first");
    }

    #[test]
    fn what_is_no_key_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read_secret_file(&folder.path().join("none"), SecretReaders::OwnerOnly).unwrap_err();
        assert!(missing.to_string().contains("none"), "{missing}");
        assert!(read_secret_file(folder.path(), SecretReaders::Anyone).unwrap_err().to_string().contains("a folder"));
        let path = folder.path().join("large");
        std::fs::write(&path, vec![b'a'; 70_000]).unwrap();
        assert!(read_secret_file(&path, SecretReaders::Anyone).unwrap_err().to_string().contains("64 KiB"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read_secret_file(&path, SecretReaders::Anyone).unwrap_err().to_string().contains("not text"));
    }
}
