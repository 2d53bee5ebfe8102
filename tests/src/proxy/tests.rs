//! The proxy itself, before a server that says what it has heard.

use std::sync::Mutex;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::proxy::http::RequestHead;

/// A server that answers every request with its body, and remembers all of them.
struct Echo {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&hears)));
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, heard: Arc<Mutex<Vec<String>>>) {
    let mut bytes = bytes::BytesMut::new();
    loop {
        let Some(body) = whole_body(&bytes) else {
            match stream.read_buf(&mut bytes).await {
                Ok(1..) => continue,
                _ => return,
            }
        };
        bytes.clear();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        heard.lock().unwrap().push(body);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of a request, when it is there.
fn whole_body(bytes: &[u8]) -> Option<String> {
    let mut head = RequestHead::of(bytes).unwrap()?;
    head.body.take(&bytes[head.len..]).unwrap();
    head.body.is_over().then(|| String::from_utf8(bytes[head.len..].to_vec()).unwrap())
}

async fn between() -> (Proxy, Echo) {
    let echo = Echo::start().await;
    let proxy = Proxy::start();
    proxy.forward_to(echo.address);
    (proxy, echo)
}

fn request(body: &str) -> String {
    format!("POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Everything until the end of the connection, which a single request asks for.
async fn ask(proxy: &Proxy, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(proxy.address()).await?;
    stream.write_all(request(body).as_bytes()).await?;
    let mut answer = bytes::BytesMut::new();
    while !answer.ends_with(body.as_bytes()) {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn requests_pass_one_after_the_other_on_one_connection() {
    let (proxy, echo) = between().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    for body in ["one", "two", "three"] {
        stream.write_all(request(body).as_bytes()).await.unwrap();
        let mut answer = bytes::BytesMut::new();
        while !answer.ends_with(body.as_bytes()) {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
    }
    assert_eq!((echo.heard().len(), proxy.connections(), proxy.exchanges()), (3, 1, 3));
    assert_eq!(proxy.faults(), Faults::default());
}

#[tokio::test]
async fn single_requests_suffer_what_was_ordered() {
    let (proxy, echo) = between().await;
    let lost = proxy.on("POST", "/v1/*").lose_answer();
    assert_eq!(ask(&proxy, "lost").await.unwrap_or_default(), "");
    lost.happened().await;
    assert_eq!(lost.statuses(), [200]);

    let twice = proxy.on("*", "/**").repeat(3, 2);
    assert!(ask(&proxy, "twice").await.unwrap().ends_with("twice"));
    assert_eq!(twice.statuses(), [200, 200]);
    let at_once = proxy.on("*", "/**").repeat_at_once(2, 1);
    assert!(ask(&proxy, "at once").await.unwrap().ends_with("at once"));
    assert_eq!(at_once.count(), 1);

    proxy.on("POST", "/v1/jobs").keep();
    assert_eq!(ask(&proxy, "late").await.unwrap_or_default(), "");
    assert!(ask(&proxy, "passes").await.unwrap().ends_with("passes"));
    assert_eq!(proxy.deliver_late().await, [200]);

    proxy.on("POST", "/v1/jobs").cut(Way::Request, 60);
    assert_eq!(ask(&proxy, "cut in the middle of itself").await.unwrap_or_default(), "");
    proxy.on("POST", "/v1/jobs").cut(Way::Answer, 20);
    assert_eq!(ask(&proxy, "cut").await.unwrap(), "HTTP/1.1 200 OK\r\ncon");
    proxy.on("GET", "/v1/jobs").lose_answer();
    assert!(ask(&proxy, "not a GET").await.unwrap().ends_with("not a GET"));

    let heard = ["lost", "twice", "twice", "twice", "at once", "at once", "passes", "late", "cut", "not a GET"];
    assert_eq!(echo.heard(), heard);
    proxy.until("second cut", |faults| faults.cut == 2).await;
    let Faults { lost, repeated, kept, late, .. } = proxy.faults();
    assert_eq!((lost, repeated, kept, late), (1, 3, 1, 1));
}

#[tokio::test]
async fn whole_connections_suffer_too() {
    let (proxy, echo) = between().await;
    proxy.refuse();
    let refused = ask(&proxy, "refused").await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.heal();

    proxy.hold(&[Way::Request]);
    let (answer, ()) = tokio::join!(ask(&proxy, "held"), async {
        proxy.until("held piece", |faults| faults.held > 0).await;
        assert_eq!(echo.heard(), Vec::<String>::new());
        proxy.heal();
    });
    assert!(answer.unwrap().ends_with("held"));

    proxy.swallow(&[Way::Answer]);
    let (answer, ()) = tokio::join!(ask(&proxy, "swallowed"), async {
        proxy.until("swallowed piece", |faults| faults.swallowed > 0).await;
        proxy.heal();
        proxy.reset();
    });
    assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    proxy.until("reset", |faults| faults.reset == 1).await;

    proxy.cut_after(Way::Answer, 10);
    assert_eq!(ask(&proxy, "cut").await.unwrap(), "HTTP/1.1 2");
    proxy.delay(&[Way::Answer], Duration::from_millis(1));
    assert!(ask(&proxy, "delayed").await.unwrap().ends_with("delayed"));
    assert_ne!(proxy.faults().delayed, 0);
}

#[tokio::test]
async fn what_is_no_http_passes_as_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start();
    proxy.forward_to(listener.local_addr().unwrap());
    let mut near = TcpStream::connect(proxy.address()).await.unwrap();
    near.write_all(&[0x16, 3, 1, 0, 9]).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let mut bytes = [0; 5];
    far.read_exact(&mut bytes).await.unwrap();
    far.write_all(b"and back").await.unwrap();
    let mut answer = [0; 8];
    near.read_exact(&mut answer).await.unwrap();
    assert_eq!((bytes, &answer), ([0x16, 3, 1, 0, 9], b"and back"));
    drop(far);
    assert_eq!(near.read(&mut answer).await.unwrap(), 0);
}
