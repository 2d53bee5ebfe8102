//! The section `[notify]`, the same for coordinators, workers and clients.

use std::path::{Path, PathBuf};

use ffleet_settings::{CertificateFileError, SecretFileError, SecretReaders, read_certificates, read_secret_file};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use url::Url;

/// Who may be able to read files with passwords.
pub type Readers = SecretReaders;

/// Brokers that carry nudges beside HTTP.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// RabbitMQ or another broker for AMQP 0-9-1. None
    pub amqp: Option<Amqp>,
    /// Mosquitto or another broker for MQTT 3.1.1. None
    pub mqtt: Option<Mqtt>,
}

/// A broker for AMQP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amqp {
    /// Its addresses, tried in turn: `amqp://USER@HOST:5672/VHOST`, with TLS `amqps://USER@HOST:5671/VHOST`.
    pub urls: Vec<String>,
    /// File with that user's password. None
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// PEM file with the certificates of authorities that are trusted besides the system's own. None
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A broker for MQTT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Its addresses, tried in turn: `mqtt://USER@HOST:1883`, with TLS `mqtts://USER@HOST:8883`.
    pub urls: Vec<String>,
    /// File with that user's password. None
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// PEM file with the certificates of the only authorities that are trusted. The system's own
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// What is wrong with the section.
#[derive(Debug, thiserror::Error)]
pub enum BadNotify {
    /// The password cannot be read.
    #[error("`notify.{section}.password_file`: {cause}")]
    Password {
        /// `amqp` or `mqtt`.
        section: &'static str,
        /// Why.
        cause: SecretFileError,
    },
    /// The certificates cannot be read.
    #[error("`notify.{section}.ca`: {cause}")]
    Ca {
        /// `amqp` or `mqtt`.
        section: &'static str,
        /// Why.
        cause: CertificateFileError,
    },
    /// An address is none.
    #[error("`notify.{section}.urls`: {0} is not understood; expected {expected}", url_without_password(url))]
    Url {
        /// `amqp` or `mqtt`.
        section: &'static str,
        /// What was written.
        url: String,
        /// What it should look like.
        expected: &'static str,
    },
}

fn url_without_password(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            let _ = url.set_password(None);
            format!("{:?}", url.as_str())
        }
        Err(_) => "an address".to_owned(),
    }
}

/// Where to connect, with everything read.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) urls: Vec<Url>,
    pub(crate) ca: Option<String>,
}

const AMQP: &str = "amqp://USER@HOST:5672/VHOST or amqps://USER@HOST:5671/VHOST";
const MQTT: &str = "mqtt://USER@HOST:1883 or mqtts://USER@HOST:8883";

impl Notify {
    /// Why this cannot work, as far as it can be told without looking at files; empty when it can.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(amqp) = &self.amqp {
            problems.extend(addresses("amqp", &amqp.urls, AMQP).err().map(|error| error.to_string()));
        }
        if let Some(mqtt) = &self.mqtt {
            problems.extend(addresses("mqtt", &mqtt.urls, MQTT).err().map(|error| error.to_string()));
        }
        problems
    }

    /// The files that it names, for whoever says from where they count.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let amqp = self.amqp.iter_mut().flat_map(|amqp| [amqp.password_file.as_mut(), amqp.ca.as_mut()]);
        let mqtt = self.mqtt.iter_mut().flat_map(|mqtt| [mqtt.password_file.as_mut(), mqtt.ca.as_mut()]);
        amqp.chain(mqtt).flatten()
    }

    /// Whether the files that it names can be read.
    ///
    /// # Errors
    /// When one cannot.
    pub fn readable(&self, readers: Readers) -> Result<(), BadNotify> {
        self.amqp.as_ref().map(|amqp| amqp.places(readers)).transpose()?;
        self.mqtt.as_ref().map(|mqtt| mqtt.places(readers)).transpose()?;
        Ok(())
    }
}

impl Amqp {
    pub(crate) fn places(&self, readers: Readers) -> Result<Places, BadNotify> {
        let urls = addresses("amqp", &self.urls, AMQP)?;
        places("amqp", urls, self.password_file.as_deref(), self.ca.as_deref(), readers)
    }
}

impl Mqtt {
    pub(crate) fn places(&self, readers: Readers) -> Result<Places, BadNotify> {
        let urls = addresses("mqtt", &self.urls, MQTT)?;
        places("mqtt", urls, self.password_file.as_deref(), self.ca.as_deref(), readers)
    }
}

fn addresses(section: &'static str, texts: &[String], expected: &'static str) -> Result<Vec<Url>, BadNotify> {
    let bad = |url: &str| BadNotify::Url { section, url: url.to_owned(), expected };
    if texts.is_empty() {
        return Err(bad("no address"));
    }
    let address = |text: &String| {
        let url = Url::parse(text).map_err(|_| bad(text))?;
        let secure = url.scheme().strip_suffix('s').unwrap_or(url.scheme());
        if secure == section && url.host_str().is_some_and(|host| !host.is_empty()) { Ok(url) } else { Err(bad(text)) }
    };
    texts.iter().map(address).collect()
}

fn places(
    section: &'static str,
    mut urls: Vec<Url>,
    password_file: Option<&Path>,
    ca: Option<&Path>,
    readers: Readers,
) -> Result<Places, BadNotify> {
    if let Some(path) = password_file {
        let secret = read_secret_file(path, readers).map_err(|cause| BadNotify::Password { section, cause })?;
        for url in &mut urls {
            // Only an address without a host refuses it, and those have been refused.
            let _ = url.set_password(Some(secret.expose_secret().trim_end()));
        }
    }
    let read = |path: &Path| read_certificates(path).map_err(|cause| BadNotify::Ca { section, cause });
    Ok(Places { urls, ca: ca.map(read).transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amqp(url: &str) -> Notify {
        let amqp = Amqp { urls: vec![url.to_owned()], password_file: None, ca: None };
        Notify { amqp: Some(amqp), mqtt: None }
    }

    #[test]
    fn addresses_are_judged_and_passwords_are_not_told() {
        for good in ["amqp://a@b", "amqps://a:p@b:1/v", "amqp://localhost:5672/%2f"] {
            assert_eq!(amqp(good).problems(), Vec::<String>::new(), "{good}");
        }
        for bad in ["", "localhost", "http://a:secret@b", "amqp://", "mqtt://a:secret@b"] {
            let problems = amqp(bad).problems();
            assert!(problems.len() == 1 && problems[0].contains("amqp://USER@HOST"), "{bad}: {problems:?}");
            assert!(!problems[0].contains("secret"), "{problems:?}");
        }
    }
}
