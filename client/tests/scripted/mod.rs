//! A coordinator that answers from a script, and keeps what it was asked.

use std::sync::{Arc, Mutex};

use ffleet_protocol::{
    id::RequestId,
    problem::{Code, Problem},
    sign::Parts,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

/// What is said to one request.
#[derive(Clone)]
pub enum Answer {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// The connection is closed without a word.
    Cut,
}

impl Answer {
    #[expect(clippy::needless_pass_by_value, reason = "bodies are made in place")]
    pub fn json(status: u16, body: Value) -> Self {
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            reason(status),
            body.len()
        );
        Self::Bytes((head + &body).into_bytes())
    }

    pub fn empty(status: u16) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} {}\r\nconnection: close\r\n\r\n", reason(status)).into_bytes())
    }

    /// A stream of lines, ended well or cut off.
    pub fn lines(lines: Vec<Value>, ended: bool) -> Self {
        let mut text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".to_owned();
        for line in lines {
            let line = format!("{line}\n");
            text.push_str(&format!("{:x}\r\n{line}\r\n", line.len()));
        }
        if ended {
            text.push_str("0\r\n\r\n");
        }
        Self::Bytes(text.into_bytes())
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let text = String::from_utf8(bytes).unwrap();
                Self::Bytes(text.replacen("\r\n", &format!("\r\n{name}: {value}\r\n"), 1).into_bytes())
            }
            Self::Cut => Self::Cut,
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        404 => "Not Found",
        _ => "Whatever",
    }
}

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    pub fn parts(&self) -> Parts<'_> {
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target.as_str(), None),
        };
        let given = |name| Some(self.header(name)).filter(|value| !value.is_empty());
        Parts {
            method: &self.method,
            authority: self.header("host"),
            path,
            query,
            content_digest: given("content-digest"),
            idempotency_key: given("idempotency-key"),
        }
    }
}

/// The coordinator.
pub struct Scripted {
    pub url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: JoinHandle<()>,
}

impl Scripted {
    /// Gives these answers in turn, and then none any more.
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            for answer in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let request = read(&mut connection).await;
                kept.lock().unwrap().push(request);
                if let Answer::Bytes(bytes) = answer {
                    connection.write_all(&bytes).await.unwrap();
                }
            }
        });
        Self { url, seen, serving }
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An address where nobody listens.
pub async fn nobody() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap()
}

pub fn problem(code: Code) -> Value {
    serde_json::to_value(Problem::new(code, "as the script says", RequestId::new())).unwrap()
}

async fn read(connection: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = connection.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the request broke off");
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().split(' ');
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length =
            headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
        if bytes.len() < end + 4 + length {
            continue;
        }
        let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
        return Seen { method, target, headers, body: bytes[end + 4..].to_vec() };
    }
}
