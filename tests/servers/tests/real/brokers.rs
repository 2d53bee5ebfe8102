//! Mosquitto. RabbitMQ is tried by `nudges/tests`.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use ffleet_servers::{Mosquitto, until};

/// A connection to a Mosquitto, in its language.
struct Client(TcpStream);

impl Client {
    /// Logs in, and gives the broker's answer: 0 for a welcome.
    fn open(server: &Mosquitto, user: &str, password: &str) -> std::io::Result<(Self, u8)> {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port()))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut body = b"\0\x04MQTT\x04\xc2\0\x3c".to_vec();
        for text in ["me", user, password] {
            body.extend([0, u8::try_from(text.len()).unwrap()]);
            body.extend(text.as_bytes());
        }
        packet(&mut stream, 0x10, &body)?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        Ok((Self(stream), answer[3]))
    }

    /// Leaves a message that is kept for those who come later.
    fn retain(&mut self, message: &str) {
        packet(&mut self.0, 0x33, format!("\0\x01t\0\x01{message}").as_bytes()).unwrap();
        self.0.read_exact(&mut [0; 4]).unwrap();
    }

    /// The message that was left.
    fn retained(&mut self) -> String {
        packet(&mut self.0, 0x82, b"\0\x01\0\x01t\0").unwrap();
        self.0.read_exact(&mut [0; 5]).unwrap();
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        let mut body = vec![0; head[1].into()];
        self.0.read_exact(&mut body).unwrap();
        String::from_utf8(body[3..].to_vec()).unwrap()
    }
}

fn packet(stream: &mut TcpStream, kind: u8, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[&[kind, u8::try_from(body.len()).unwrap()], body].concat())
}

#[test]
fn mosquitto_keeps_messages_if_it_is_told_to() {
    let server =
        Mosquitto::start("allow_anonymous true\npersistence true\nautosave_on_changes true\nautosave_interval 1");
    let (mut client, welcome) = Client::open(&server, "", "").unwrap();
    assert_eq!(welcome, 0);
    client.retain("hello");
    server.restart();
    assert_eq!(Client::open(&server, "", "").unwrap().0.retained(), "hello");
    server.kill9();
    assert!(Client::open(&server, "", "").is_err());
    server.restart();
    assert_eq!(Client::open(&server, "", "").unwrap().0.retained(), "hello");
}

#[test]
fn mosquitto_lets_in_whom_it_knows() {
    let server = Mosquitto::with_users(&[("ann", "one"), ("bob", "two")], "");
    let welcome = |user, password| Client::open(&server, user, password).unwrap().1;
    assert_eq!(welcome("ann", "one"), 0);
    assert_eq!(welcome("bob", "two"), 0);
    assert_ne!(welcome("bob", "one"), 0);
    assert_ne!(welcome("eve", ""), 0);
    server.reload(&[("eve", "three")], "");
    until("it knows somebody else", || welcome("eve", "three") == 0);
    assert_ne!(welcome("ann", "one"), 0);
}
