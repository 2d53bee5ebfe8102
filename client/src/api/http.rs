//! One signed request to one coordinator, and what its answer means.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use ffleet_protocol::{
    problem::{Code, Problem},
    sign::{self, KeyFile, Params, Parts},
};
use ffleet_settings::Trust;
use reqwest::{
    Certificate, Response, StatusCode,
    header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER},
};
use url::Url;

use super::{
    ApiError, Connection,
    call::Call,
    clock::{Clock, parse_date},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// More than any answer of a coordinator holds, so that a stranger's endless answer does not fill our memory.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// What the clones of an [`super::Api`] share.
pub(super) struct Shared {
    pub(super) urls: Vec<Url>,
    pub(super) key: KeyFile,
    pub(super) clock: Clock,
    http: reqwest::Client,
    /// Index of the coordinator that answered last; the next call begins there.
    favourite: AtomicUsize,
}

/// An answer with a good status.
pub(super) struct Answer {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// The rest of it, when it is a stream.
    pub(super) rest: Option<Response>,
}

/// Why one try failed, as the next try needs to know it.
pub(super) enum TryError {
    /// The coordinator's clock is not ours; our correction has been changed and the call may go out again.
    Skewed(ApiError),
    /// It was not sent at all; sending it elsewhere is always safe.
    NotSent(String),
    /// The address is another kind of server's: it was not understood, and will not be. Or it is somebody's who is not
    /// trusted.
    Misaddressed(String),
    /// It may or may not have had its effect.
    Unanswered(String),
    /// The coordinator asks for patience.
    NotNow { problem: Box<Problem>, after: Option<Duration> },
    /// This very request has arrived before: somebody on the way has sent it twice. The first one was taken; its answer
    /// belongs to whoever got it. What may be repeated is signed anew.
    Doubled(Box<Problem>),
    /// A fault of the coordinator's; another one may do better.
    Fault(Box<Problem>),
    /// A proxy in between has nobody to ask.
    NoBackend(String),
    /// Asking again would bring the same.
    Final(ApiError),
}

impl Shared {
    pub(super) fn new(connection: Connection) -> Result<Self, ApiError> {
        let Connection { urls, key, ca_file, agent, retry: _ } = connection;
        if urls.is_empty() {
            return Err(ApiError::Setup("no coordinator's address is given".to_owned()));
        }
        for url in &urls {
            check_url(url)?;
        }
        let mut http = reqwest::Client::builder()
            .user_agent(agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(60))
            .no_proxy();
        if let Some(path) = ca_file {
            let bad = |why: String| ApiError::Setup(format!("ca_file {}: {why}", path.display()));
            let pem = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| bad(error.to_string()))?;
            if certificates.is_empty() {
                return Err(bad("it holds no certificate in PEM form".to_owned()));
            }
            http = http.tls_certs_only(certificates);
        } else if urls.iter().all(|url| url.scheme() == "http") {
            // Without TLS the system's certificates are not read: a machine without any still works.
            http = http.tls_certs_only([]);
        }
        let http =
            http.build().map_err(|error| ApiError::Setup(format!("cannot prepare for HTTP: {}", chain(&error))))?;
        Ok(Self { urls, key, clock: Clock::new(), http, favourite: AtomicUsize::new(0) })
    }

    /// Where to begin.
    pub(super) fn favourite(&self) -> usize {
        self.favourite.load(Ordering::Relaxed) % self.urls.len()
    }

    /// Sends `call` to the coordinator of this index, once.
    pub(super) async fn once(&self, index: usize, call: &Call, timeout: Duration) -> Result<Answer, TryError> {
        let base = &self.urls[index];
        let request = self.signed(base, call).map_err(TryError::Final)?;
        let exchange = async {
            let response = self.http.execute(request).await.map_err(|error| sending_failed(base, &error))?;
            if let Some(server) = header(&response, &DATE).and_then(parse_date) {
                self.clock.observe(server);
            }
            if !response.status().is_success() {
                return Err(self.refusal(base, response).await);
            }
            let (status, url) = (response.status(), shown(base));
            if call.stream {
                return Ok(Answer { url, status, body: Bytes::new(), rest: Some(response) });
            }
            let body = whole(response).await?;
            Ok(Answer { url, status, body, rest: None })
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(Ok(answer)) => {
                self.favourite.store(index, Ordering::Relaxed);
                Ok(answer)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(TryError::Unanswered(format!("no answer within {} s", timeout.as_secs_f32()))),
        }
    }

    fn signed(&self, base: &Url, call: &Call) -> Result<reqwest::Request, ApiError> {
        let url = address(base, call);
        let authority = authority(&url)?;
        let params = Params { created: self.clock.now(), nonce: Some(ffleet_protocol::id::unused()), expires: None };
        let parts = Parts {
            method: call.method.as_str(),
            authority: &authority,
            path: url.path(),
            query: url.query(),
            content_digest: call.body.as_ref().map(|body| body.digest.as_str()),
            idempotency_key: call.idempotency_key.as_deref(),
        };
        let headers = sign::sign(&parts, &self.key.key_id, &self.key.secret, &params)
            .map_err(|error| ApiError::Setup(format!("the request cannot be signed: {error}")))?;
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .header("signature-input", headers.input)
            .header("signature", headers.signature);
        if let Some(body) = &call.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .header("content-digest", &body.digest)
                .body(body.bytes.clone());
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some((name, value)) = &call.header {
            request = request.header(name, value);
        }
        request.build().map_err(|error| ApiError::Setup(format!("the request cannot be sent: {}", chain(&error))))
    }

    async fn refusal(&self, base: &Url, response: Response) -> TryError {
        let status = response.status();
        let after = header(&response, &RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let date = header(&response, &DATE).and_then(parse_date);
        if status.is_redirection() {
            let to = header(&response, &LOCATION).unwrap_or("somewhere else");
            return TryError::Final(strange(base, format!("it redirects to {to}; give that address itself")));
        }
        let Ok(body) = whole(response).await else {
            return TryError::Unanswered(format!("the answer ({status}) broke off"));
        };
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => {
                if problem.is(Code::ClockSkew)
                    && let Some(server) = problem.server_time.or(date)
                    && self.clock.correct(server)
                {
                    TryError::Skewed(ApiError::Problem(Box::new(problem)))
                } else if problem.is(Code::Replayed) {
                    TryError::Doubled(Box::new(problem))
                } else if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
                    TryError::NotNow { problem: Box::new(problem), after }
                } else if status.is_server_error() {
                    TryError::Fault(Box::new(problem))
                } else {
                    TryError::Final(ApiError::Problem(Box::new(problem)))
                }
            }
            // A proxy's own words: 502, 503 and 504 mean that it found no coordinator.
            Err(_) if matches!(status.as_u16(), 502..=504) => {
                TryError::NoBackend(format!("{status}, from a proxy in between"))
            }
            Err(_) => TryError::Final(strange(base, format!("{status} without a description"))),
        }
    }
}

/// An address as people write it.
pub(super) fn shown(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

fn check_url(url: &Url) -> Result<(), ApiError> {
    let bad = |why: &str| Err(ApiError::Setup(format!("coordinator address {url}: {why}")));
    if url.cannot_be_a_base() {
        // `farm:8461` reads as a scheme and its rest.
        bad(&format!("write http://{url}"))
    } else if !matches!(url.scheme(), "http" | "https") {
        bad("it must begin with http:// or https://, such as http://farm.example:8461")
    } else if !url.has_host() {
        bad("it names no host")
    } else if url.query().is_some() || url.fragment().is_some() {
        bad("leave away what follows the '?' or '#'")
    } else if !url.username().is_empty() || url.password().is_some() {
        bad("leave away user and password; requests are signed with the key file")
    } else {
        Ok(())
    }
}

fn address(base: &Url, call: &Call) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), call.path));
    if !call.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&call.query);
    }
    url
}

/// As it stands in `Host`: without the scheme's own port.
fn authority(url: &Url) -> Result<String, ApiError> {
    let host = url.host_str().ok_or_else(|| ApiError::Setup(format!("{url} names no host")))?;
    Ok(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

async fn whole(mut response: Response) -> Result<Bytes, TryError> {
    let mut body = bytes::BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST_ANSWER => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(TryError::Unanswered("the answer is far too long".to_owned())),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err(TryError::Unanswered(chain(&error))),
        }
    }
}

fn header<'a>(response: &'a Response, name: &reqwest::header::HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn strange(base: &Url, what: String) -> ApiError {
    ApiError::Protocol { url: shown(base), what }
}

fn sending_failed(base: &Url, error: &reqwest::Error) -> TryError {
    let cause = chain(error);
    // rustls's words for an answer that is no TLS at all, and hyper's for one that is.
    if base.scheme() == "https" && cause.contains("InvalidContentType") {
        let other = shown(base).replacen("https", "http", 1);
        return TryError::Misaddressed(format!("it answers in plain http; write {other}"));
    }
    if base.scheme() == "http" && cause.contains("invalid HTTP version") {
        let other = shown(base).replacen("http", "https", 1);
        return TryError::Misaddressed(format!("it does not answer in plain http; if it serves https, write {other}"));
    }
    // Patience does not mend trust either, nor a name.
    let trust = Trust { whose: "the coordinator's", ca: "ca_file", address: "coordinators" };
    if let Some(advice) = trust.advice(&cause).filter(|_| base.scheme() == "https") {
        return TryError::Misaddressed(format!("{cause}; {advice}"));
    }
    if error.is_connect() { TryError::NotSent(cause) } else { TryError::Unanswered(cause) }
}

/// The innermost cause: the layers above it only repeat the address.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
