//! Certificate and key of HTTPS, read from their files.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use ffleet_settings::{SecretFileError, SecretReaders, read_secret_file};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use secrecy::ExposeSecret;

use super::Tls;

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("`tls.{key}`: {} {detail}", path.display())]
    File {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The key cannot be read, or by others too.
    #[error("`tls.key`: {0}")]
    Secret(#[from] SecretFileError),
    /// The two do not go together.
    #[error("`tls.certificate` and `tls.key` do not go together: {0}")]
    Mismatch(#[from] rustls::Error),
}

impl Tls {
    /// Reads the certificate and its key. The key is a secret as others are: `readers` says who may be able to read its file.
    ///
    /// # Errors
    /// When a file cannot be read or holds no PEM, others can read the key, or it is not the certificate's.
    pub fn certificate(&self, readers: SecretReaders) -> Result<Certificate, TlsError> {
        let read = Arc::new(self.read(readers)?);
        Ok(Certificate { tls: self.clone(), readers, current: RwLock::new(read) })
    }

    fn read(&self, readers: SecretReaders) -> Result<CertifiedKey, TlsError> {
        let chain = CertificateDer::pem_file_iter(&self.certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| file("certificate", &self.certificate, &error))?;
        if chain.is_empty() {
            return Err(file("certificate", &self.certificate, &PemError::NoItemsFound));
        }
        let key = read_secret_file(&self.key, readers)?;
        let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes());
        let key = key.map_err(|error| file("key", &self.key, &error))?;
        Ok(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?)
    }
}

/// A certificate that is read again when it has been renewed; connections that are there keep the one they began with.
#[derive(Debug)]
pub struct Certificate {
    tls: Tls,
    readers: SecretReaders,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// What the server needs.
    ///
    /// # Errors
    /// When the cryptography that was built in knows no version of TLS, which would be a fault of ours.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(versions.with_no_client_auth().with_cert_resolver(self.clone()))
    }

    /// Takes what the files hold now; says whether it is another certificate. One that cannot be used changes nothing.
    ///
    /// # Errors
    /// As [`Tls::certificate`].
    pub fn renew(&self) -> Result<bool, TlsError> {
        let read = self.tls.read(self.readers)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = read.cert != current.cert;
        if changed {
            *current = Arc::new(read);
        }
        Ok(changed)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn file(key: &'static str, path: &Path, error: &PemError) -> TlsError {
    let detail = match error {
        PemError::NoItemsFound => format!("holds no {key} in PEM"),
        PemError::Io(error) => format!("cannot be read: {error}"),
        other => format!("is not PEM: {other}"),
    };
    TlsError::File { key, path: path.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    /// A self-signed certificate and its key.
    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn attempt_with(certificate: &str, key: &str, mode: u32, readers: SecretReaders) -> Result<Certificate, TlsError> {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        std::fs::write(&tls.certificate, certificate).unwrap();
        std::fs::write(&tls.key, key).unwrap();
        std::fs::set_permissions(&tls.key, Permissions::from_mode(mode)).unwrap();
        tls.certificate(readers)
    }

    fn attempt(certificate: &str, key: &str) -> Result<Certificate, TlsError> {
        attempt_with(certificate, key, 0o600, SecretReaders::OwnerOnly)
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_unless_told() {
        let (certificate, key) = pair();
        let open = |readers| attempt_with(&certificate, &key, 0o644, readers);
        assert!(open(SecretReaders::Anyone).is_ok());
        let error = open(SecretReaders::OwnerOnly).unwrap_err().to_string();
        assert!(error.starts_with("`tls.key`: ") && error.contains("mode 0644"), "{error}");
    }

    #[test]
    fn certificate_and_key_must_be_there_and_fit() {
        let (certificate, key) = pair();
        let (_, other_key) = pair();
        assert!(attempt(&certificate, &key).is_ok());
        for (certificate, key, said) in [
            (certificate.as_str(), other_key.as_str(), "do not go together"),
            (&certificate, "", "`tls.key`"),
            ("", &key, "`tls.certificate`"),
            ("garbage", &key, "holds no certificate in PEM"),
            (&key, &key, "holds no certificate in PEM"),
            (&certificate, &certificate, "holds no key in PEM"),
        ] {
            let error = attempt(certificate, key).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let missing = Tls { certificate: "/nonexistent".into(), key: "/nonexistent".into() };
        let error = missing.certificate(SecretReaders::OwnerOnly).unwrap_err().to_string();
        assert!(error.contains("/nonexistent cannot be read"), "{error}");
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let put = |(certificate, key): &(String, String)| {
            std::fs::write(&tls.certificate, certificate).unwrap();
            std::fs::write(&tls.key, key).unwrap();
            std::fs::set_permissions(&tls.key, Permissions::from_mode(0o600)).unwrap();
        };
        let (first, second) = (pair(), pair());
        put(&first);
        let certificate = Arc::new(tls.certificate(SecretReaders::OwnerOnly).unwrap());
        assert!(certificate.server_config().is_ok());
        let shown = || certificate.current.read().unwrap().cert[0].clone();
        let before = shown();
        assert!(!certificate.renew().unwrap(), "nothing has changed");
        put(&(second.0.clone(), first.1));
        assert!(certificate.renew().is_err() && shown() == before, "half of a renewal");
        put(&second);
        assert!(certificate.renew().unwrap() && shown() != before);
    }
}
