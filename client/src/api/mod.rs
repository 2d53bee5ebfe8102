//! The coordinators' HTTP API: a method per call.
//!
//! Every request is signed afresh with its own nonce, so a repeated request is never mistaken for a replay. Reads, and
//! writes whose own numbering or key makes a repetition harmless, go on to the next coordinator when one fails.

mod admin;
mod call;
mod client;
mod clock;
mod error;
mod http;
mod silence;
mod stream;
mod tries;
mod worker;

use std::{path::PathBuf, sync::Arc, time::Duration};

use ffleet_protocol::sign::KeyFile;
use url::Url;

pub use error::{ApiError, Attempted};
pub use stream::{EventStream, RecordStream};
pub(crate) use tries::jittered;

/// Where coordinators are and how to sign.
pub struct Connection {
    /// One installation's coordinators, in order of preference; at least one. A path in them is a proxy's prefix.
    pub urls: Vec<Url>,
    /// Who signs, and with what.
    pub key: KeyFile,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Name and version of the program, for the coordinators' logs.
    pub agent: String,
    /// For how long a failing call is repeated.
    pub retry: RetryOptions,
}

impl Connection {
    /// A connection with the usual settings.
    #[must_use]
    pub fn new(urls: Vec<Url>, key: KeyFile) -> Self {
        let agent = concat!("ffleet-client/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { urls, key, ca_file: None, agent, retry: RetryOptions::default() }
    }
}

/// How long calls may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryOptions {
    /// No new try begins after so long; the one going on may end. Zero means a single try.
    pub deadline: Duration,
    /// A try that is not a long poll is given up after so long.
    pub try_timeout: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), try_timeout: Duration::from_secs(15) }
    }
}

/// One installation's API. Clones share connections, the clock correction and the coordinator that answered last.
#[derive(Clone)]
pub struct Api {
    shared: Arc<http::Shared>,
    retry: RetryOptions,
    silence: Option<silence::Silence>,
}

impl Api {
    /// Prepares connections; nothing is sent yet.
    pub fn new(connection: Connection) -> Result<Self, ApiError> {
        let retry = connection.retry;
        Ok(Self { shared: Arc::new(http::Shared::new(connection)?), retry, silence: None })
    }

    /// The same API with other patience. Who sets it tells about silence, too.
    #[must_use]
    pub fn with_retry(&self, retry: RetryOptions) -> Self {
        Self { shared: Arc::clone(&self.shared), retry, silence: None }
    }

    /// The same API, which says once that a call has had no answer for two seconds, and for how long it is repeated.
    #[must_use]
    pub fn on_silence(self, tell: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self { silence: Some(silence::Silence::new(tell)), ..self }
    }

    /// The same API, whose calls are repeated for `deadline` at most. Zero means a single try.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        self.with_retry(RetryOptions { deadline, ..self.retry })
    }

    /// The same API, whose single tries are given up after `try_timeout`. Long polls add their waiting time.
    #[must_use]
    pub fn with_try_timeout(&self, try_timeout: Duration) -> Self {
        self.with_retry(RetryOptions { try_timeout, ..self.retry })
    }

    /// The coordinators, in the order given.
    #[must_use]
    pub fn urls(&self) -> &[Url] {
        &self.shared.urls
    }

    /// The key that signs, by its public name.
    #[must_use]
    pub fn key_id(&self) -> &ffleet_protocol::id::KeyId {
        &self.shared.key.key_id
    }

    /// By how many seconds the clock of the coordinator that answered last is ahead of ours (behind, when negative).
    #[must_use]
    pub fn clock_offset_s(&self) -> Option<i64> {
        self.shared.clock.observed()
    }
}
