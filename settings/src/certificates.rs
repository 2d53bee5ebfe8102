//! Files with certificates, and what it means when somebody else's certificate is not believed.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What begins a certificate in PEM.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Why a file of certificates was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFileError {
    /// Not there, or not readable.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Something else, such as a key or a certificate in DER.
    #[error("{} holds no certificate in PEM", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file of certificates, and sees that it holds one: an empty list would trust nobody, and say so only much later.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn read_certificates(path: &Path) -> Result<String, CertificateFileError> {
    let bytes = fs::read(path).map_err(|cause| CertificateFileError::Unreadable { path: path.to_owned(), cause })?;
    match String::from_utf8(bytes) {
        Ok(text) if text.contains(BEGIN) => Ok(text),
        Ok(_) | Err(_) => Err(CertificateFileError::NoCertificate { path: path.to_owned() }),
    }
}

/// Where it is configured whom to trust, and whom to call.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Whose certificate it is, such as `the broker's`.
    pub whose: &'a str,
    /// The key that names the file of authorities.
    pub ca: &'a str,
    /// The key that names the host.
    pub address: &'a str,
}

impl Trust<'_> {
    /// What to do when TLS could not be agreed on; `cause` is in the words of rustls. `None` when it was something else.
    #[must_use]
    pub fn advice(&self, cause: &str) -> Option<String> {
        let Self { whose, ca, address } = self;
        let says = |words: &[&str]| words.iter().any(|words| cause.contains(words));
        if says(&["any valid native certificates"]) {
            Some(format!(
                "this machine has no list of public authorities, which is needed even when `{ca}` is set; install the package \
                 ca-certificates"
            ))
        } else if says(&["UnknownIssuer", "BadSignature"]) {
            Some(format!(
                "{whose} certificate is signed by nobody who is trusted here; set `{ca}` to a file with the certificate of the \
                 authority that signed it"
            ))
        } else if says(&["not valid for name", "NotValidForName"]) {
            Some(format!(
                "{whose} certificate is made for another name; write a name that it has into `{address}`, or have one made for \
                 this name"
            ))
        } else if says(&["certificate expired", "Expired", "not valid yet", "NotValidYet"]) {
            Some(format!("{whose} certificate is not valid at this time; renew it, or set this machine's clock"))
        } else if says(&["InvalidContentType"]) {
            Some(format!("this port does not speak TLS; write another port, or another scheme, into `{address}`"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_names_the_key_that_ends_it() {
        let trust = Trust { whose: "the broker's", ca: "notify.amqp.ca", address: "notify.amqp.urls" };
        for (cause, words) in [
            ("invalid peer certificate: UnknownIssuer", "set `notify.amqp.ca`"),
            ("IO error: Could not load any valid native certificates", "install the package ca-certificates"),
            ("invalid peer certificate: certificate not valid for name \"a\"; …", "into `notify.amqp.urls`"),
            ("invalid peer certificate: NotValidForName", "into `notify.amqp.urls`"),
            ("invalid peer certificate: certificate expired: verification time 7", "renew it"),
            ("received corrupt message of type InvalidContentType", "does not speak TLS"),
        ] {
            let advice = trust.advice(cause).unwrap();
            assert!(advice.contains(words), "{cause}: {advice}");
        }
        assert_eq!(trust.advice("Connection refused (os error 111)"), None);
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let said = || read_certificates(&path).unwrap_err().to_string();
        assert!(said().contains("ca.pem cannot be read: No such file"), "{}", said());
        for other in [&b"-----BEGIN PRIVATE KEY-----\n"[..], b"", &[0x30, 0x82, 0xff]] {
            fs::write(&path, other).unwrap();
            assert!(said().contains("ca.pem holds no certificate in PEM"), "{}", said());
        }
        fs::write(&path, BEGIN).unwrap();
        assert_eq!(read_certificates(&path).unwrap(), BEGIN);
    }
}
