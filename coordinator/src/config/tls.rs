//! Certificate and key of HTTPS, read from their files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
};

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
    /// The two do not go together.
    #[error("`tls.certificate` and `tls.key` do not go together: {0}")]
    Mismatch(#[from] rustls::Error),
}

impl Tls {
    /// What the server needs.
    ///
    /// # Errors
    /// When a file cannot be read or holds no PEM, or the key is not the certificate's.
    pub fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let chain = CertificateDer::pem_file_iter(&self.certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| file("certificate", &self.certificate, &error))?;
        if chain.is_empty() {
            return Err(file("certificate", &self.certificate, &PemError::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| file("key", &self.key, &error))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(versions.with_no_client_auth().with_single_cert(chain, key)?)
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
    use super::*;

    /// A self-signed certificate and its key.
    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn attempt(certificate: &str, key: &str) -> Result<ServerConfig, TlsError> {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        std::fs::write(&tls.certificate, certificate).unwrap();
        std::fs::write(&tls.key, key).unwrap();
        tls.server_config()
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
        assert!(missing.server_config().unwrap_err().to_string().contains("/nonexistent cannot be read"));
    }
}
