//! The files that the configuration names: whether they can be used is seen before anything is opened, and whatever is wrong
//! with one is a fault of the configuration.

use std::path::{Path, PathBuf};

use ffleet_nudges::BadNotify;
use ffleet_settings::{CertificateFileError, SecretFileError, SecretReaders, read_certificates, read_secret_file};
use secrecy::SecretString;

use super::{Config, Database, TlsError};

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Certificate or key of HTTPS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file for brokers.
    #[error(transparent)]
    Notify(#[from] BadNotify),
    /// A secret for the database.
    #[error("`database.{key}`: {cause}")]
    Secret {
        /// The key of the configuration.
        key: &'static str,
        /// Why.
        cause: SecretFileError,
    },
    /// Certificates for the database.
    #[error("`database.tls.{key}`: {cause}")]
    Certificate {
        /// The key of the configuration.
        key: &'static str,
        /// Why.
        cause: CertificateFileError,
    },
}

impl Config {
    /// Looks at all of them.
    ///
    /// # Errors
    /// When one cannot be used; the message names its key.
    pub fn files(&self) -> Result<(), FileError> {
        let readers = self.master_key.readers();
        self.tls.as_ref().map(|tls| tls.certificate(readers)).transpose()?;
        self.notify.readable(readers)?;
        self.database.files(readers).map(drop)
    }
}

impl Database {
    /// Looks at its files, and gives the password if it is in one.
    ///
    /// # Errors
    /// When one cannot be used; the message names its key.
    pub(crate) fn files(&self, readers: SecretReaders) -> Result<Option<SecretString>, FileError> {
        let secret = |key, path: &Option<PathBuf>| {
            let read = |path: &Path| read_secret_file(path, readers).map_err(|cause| FileError::Secret { key, cause });
            path.as_deref().map(read).transpose()
        };
        let certificate = |key, path: &Option<PathBuf>| {
            let read = |path: &Path| read_certificates(path).map_err(|cause| FileError::Certificate { key, cause });
            path.as_deref().map(read).transpose()
        };
        certificate("ca", &self.tls.ca)?;
        certificate("certificate", &self.tls.certificate)?;
        secret("tls.key", &self.tls.key)?;
        secret("password_file", &self.password_file)
    }
}
