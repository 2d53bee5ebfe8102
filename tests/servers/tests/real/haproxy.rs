//! HAProxy.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    panic, thread,
    time::Duration,
};

use ffleet_servers::{HaProxy, free_port, until};

/// A server that gives everybody `word`, and then what they say.
fn echo(word: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let _ = stream.write_all(word.as_bytes());
                let mut twin = stream.try_clone().unwrap();
                std::io::copy(&mut stream, &mut twin)
            });
        }
    });
    port
}

fn config(front: u16, back: u16) -> String {
    format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         listen through\n  bind 127.0.0.1:{front}\n  server one 127.0.0.1:{back}\n"
    )
}

fn open(port: u16, word: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    hears(&mut stream, word)?;
    Ok(stream)
}

fn hears(stream: &mut TcpStream, word: &str) -> std::io::Result<()> {
    let mut said = vec![0; word.len()];
    stream.read_exact(&mut said)?;
    (said == word.as_bytes()).then_some(()).ok_or_else(|| std::io::Error::other(format!("not {word}")))
}

#[test]
fn haproxy_carries_connections_over_a_reload() {
    let (front, old, new) = (free_port(), echo("old"), echo("new"));
    let proxy = HaProxy::start(&config(front, old));
    let mut kept = open(front, "old").unwrap();
    assert!(proxy.tell("show stat").contains("through,one,"), "{}", proxy.tell("show stat"));
    let master = proxy.pid();
    proxy.reload(&config(front, new));
    assert_eq!(proxy.pid(), master);
    open(front, "new").unwrap();
    kept.write_all(b"still there").unwrap();
    hears(&mut kept, "still there").unwrap();

    proxy.tell("disable server through/one");
    until("a server that is out gets nobody", || open(front, "new").is_err());

    proxy.kill9();
    // The kernel takes a moment to give up the sockets of a process with several threads.
    until("its worker is gone", || TcpStream::connect(("127.0.0.1", front)).is_err());
    proxy.restart();
    open(front, "new").unwrap();
    proxy.terminate();
    // The kernel takes a moment to give up the sockets of a process with several threads.
    until("its worker is gone", || TcpStream::connect(("127.0.0.1", front)).is_err());
}

#[test]
fn haproxy_says_what_is_wrong() {
    let refused = panic::catch_unwind(|| HaProxy::start("listen through\n  bimd 127.0.0.1:1\n"));
    let why = refused.err().unwrap().downcast::<String>().unwrap();
    assert!(why.contains("unknown keyword 'bimd'"), "{why}");
}
