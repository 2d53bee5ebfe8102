//! A coordinator that serves on a free port, and requests written byte by byte.

use std::{collections::BTreeMap, fmt::Display, net::TcpListener, time::Duration};

use actix_web::web::Data;
use ffleet_coordinator::{
    app::App,
    auth::Keyring,
    config::Config,
    http,
    ops::accounts::{self, command_line},
    store::Store,
};
use ffleet_protocol::{
    Timestamp,
    account::{NewAccount, Scope},
    id::{AccountId, KeyId},
    problem::Problem,
    sign::{self, Params, Parts, Secret},
    state::Role,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long anything may take before its test has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    pub app: Data<App>,
    pub address: String,
    folder: tempfile::TempDir,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("ffleet.db").display());
        let store = Store::open(&url).await.unwrap();
        let app = Data::new(App::new(config, store, Keyring::new([1; 32].into(), [])));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        actix_web::rt::spawn(http::server(app.clone(), listener).unwrap());
        Self { app, address, folder }
    }

    /// Sees whether anything at all is written from now on.
    pub async fn witness(&self) -> Witness {
        let url = format!("sqlite://{}?mode=ro", self.folder.path().join("ffleet.db").display());
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let mut witness = Witness { connection: Database::connect(options).await.unwrap(), seen: 0 };
        witness.seen = witness.version().await;
        witness
    }

    /// A new account and a signer for it.
    pub async fn account(&self, name: &str, role: Role) -> Signer {
        self.account_from(name, role, &[]).await
    }

    /// The same, for these networks alone.
    pub async fn account_from(&self, name: &str, role: Role, networks: &[&str]) -> Signer {
        let networks = networks.iter().map(|network| (*network).to_owned()).collect();
        let scope = Scope { networks, ..Scope::default() };
        let new = NewAccount { id: AccountId::new(name).unwrap(), role, scope };
        let issued = accounts::add(&self.app, &command_line(), new).await.unwrap();
        self.signer(issued.key_id, Secret::from_base64(&issued.secret).unwrap())
    }

    /// Whoever has this key.
    pub fn signer(&self, key_id: KeyId, secret: Secret) -> Signer {
        Signer { key_id, secret, host: self.address.clone() }
    }

    pub async fn send(&self, request: &Request) -> Answer {
        self.send_bytes(&request.bytes()).await
    }

    /// Sends a request whose answer may never end, and reads the status and the head of it.
    pub async fn begin(&self, request: &Request) -> Answer {
        let mut connection = TcpStream::connect(&self.address).await.unwrap();
        connection.write_all(&request.bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0, "no answer");
        }
        Answer::read(&answer)
    }

    /// Sends exactly this on one connection, says nothing more, and reads until the server closes it.
    pub async fn talk(&self, bytes: &[u8]) -> String {
        let talking = async {
            let (mut reading, mut writing) = TcpStream::connect(&self.address).await.unwrap().into_split();
            // The server may close the connection before it has read everything.
            let sent = writing.write_all(bytes).await;
            let mut said = Vec::new();
            while matches!(reading.read_buf(&mut said).await, Ok(1..)) {}
            drop(sent);
            String::from_utf8_lossy(&said).into_owned()
        };
        tokio::time::timeout(PATIENCE, talking).await.unwrap_or_else(|_| panic!("the connection stays open"))
    }

    /// Sends exactly this, and reads one answer. A body that was announced and is not sent keeps the connection open for
    /// a while; nobody waits for its end.
    pub async fn send_bytes(&self, bytes: &[u8]) -> Answer {
        let mut connection = TcpStream::connect(&self.address).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is the server's good right when it did not read everything.
        while !is_whole(&answer) && matches!(connection.read_buf(&mut answer).await, Ok(1..)) {}
        Answer::read(&answer)
    }
}

/// Another reader of the same database.
pub struct Witness {
    connection: DatabaseConnection,
    seen: i64,
}

impl Witness {
    /// SQLite counts, for each connection, what all others have committed.
    async fn version(&self) -> i64 {
        let asked = Statement::from_string(DbBackend::Sqlite, "PRAGMA data_version");
        self.connection.query_one_raw(asked).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// Nobody has written since it was asked last.
    #[track_caller]
    pub fn nothing_changed(&mut self, after: impl Display) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let version = self.version().await;
            assert_eq!(version, self.seen, "{place}: something was written: {after}");
        }
    }

    /// Whether somebody has written since it was asked last.
    pub async fn looks(&mut self) -> bool {
        let before = self.seen;
        self.seen = self.version().await;
        self.seen != before
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| body.len() >= length)
}

/// Somebody with a key.
pub struct Signer {
    pub key_id: KeyId,
    pub secret: Secret,
    host: String,
}

/// A request before it is written.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Signer {
    pub fn get(&self, target: &str) -> Request {
        self.request("GET", target, None, &[])
    }

    pub fn post(&self, target: &str, body: &str) -> Request {
        self.request("POST", target, Some(body), &[])
    }

    /// A body made of a value.
    pub fn json(&self, method: &str, target: &str, body: &impl Serialize) -> Request {
        self.request(method, target, Some(&serde_json::to_string(body).unwrap()), &[])
    }

    /// A write without a body.
    pub fn order(&self, target: &str) -> Request {
        self.request("POST", target, None, &[])
    }

    pub fn request(&self, method: &str, target: &str, body: Option<&str>, extra: &[(&str, &str)]) -> Request {
        self.signed_at(Timestamp::now().as_second(), method, target, body, extra)
    }

    /// Signed at this second, for a path that a proxy may shorten afterwards.
    pub fn signed_at(
        &self,
        created: i64,
        method: &str,
        target: &str,
        body: Option<&str>,
        extra: &[(&str, &str)],
    ) -> Request {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let digest = body.map(|body| sign::content_digest(body.as_bytes()));
        let parts = Parts {
            method,
            authority: &self.host,
            path,
            query,
            content_digest: digest.as_deref(),
            idempotency_key: extra.iter().find(|(name, _)| *name == "idempotency-key").map(|(_, key)| *key),
        };
        let nonce = format!("{:032x}", rand::random::<u128>());
        let params = Params { created, nonce: Some(nonce), expires: None };
        let signed = sign::sign(&parts, &self.key_id, &self.secret, &params).unwrap();
        let mut headers = vec![
            ("host".to_owned(), self.host.clone()),
            ("connection".to_owned(), "close".to_owned()),
            ("signature-input".to_owned(), signed.input),
            ("signature".to_owned(), signed.signature),
        ];
        if let Some(digest) = digest {
            headers.push(("content-digest".to_owned(), digest));
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: body.unwrap_or_default().as_bytes().to_vec(),
        }
    }
}

impl Request {
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn with_body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    /// The head alone.
    pub fn head(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() && !self.has("content-length") && !self.has("transfer-encoding") {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Head and body as they came.
    pub raw: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Self { status, headers, body: body.to_owned(), raw: text.clone() }
    }

    /// The problem it tells, whose form is checked on the way.
    pub fn problem(&self) -> Problem {
        let problem: Problem = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["x-request-id"], problem.request_id.to_string());
        assert_eq!(problem.status, self.status);
        assert!(self.headers.contains_key("date"));
        problem
    }

    /// Everything that could tell it from another answer: all of it but what differs by nature. The order of the headers
    /// is drawn anew for every answer.
    pub fn seen(&self) -> String {
        let ours = |name: &str| self.headers.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let (head, body) = self.raw.split_once("\r\n\r\n").unwrap();
        let mut head: Vec<&str> = head.lines().collect();
        head[1..].sort_unstable();
        let all = format!("{}\n\n{body}", head.join("\n"));
        all.replace(&ours("x-request-id"), "ID").replace(&ours("date"), "DATE")
    }

    /// Status and code.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.problem().code)
    }
}

/// What a refusal should be.
pub fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
