//! HTTP/1.1 with as little as a generator of load can do with: one request at a time on a connection that stays open.
//!
//! The generator shares its processors with the server under test, so every microsecond here is missing there.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Headers of an answer; coordinators send fewer.
const HEADERS: usize = 32;
/// Room for one read.
const ROOM: usize = 64 * 1024;

/// A connection that is kept.
pub struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer was used already.
    used: usize,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// How long a body is.
#[derive(Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(ROOM), used: 0 })
    }

    /// Sends a request, as the bytes it is on the wire, and reads its answer.
    ///
    /// # Errors
    /// When the connection breaks or what comes is not HTTP.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        let (status, length) = self.head().await?;
        let mut body = Vec::new();
        match length {
            Length::Known(length) => {
                while self.buffer.len() - self.used < length {
                    self.more().await?;
                }
                body.extend_from_slice(&self.buffer[self.used..self.used + length]);
                self.used += length;
            }
            Length::Chunked => while self.piece(&mut body).await? {},
        }
        Ok(Answer { status, body })
    }

    /// Sends a request whose answer has no end in sight.
    ///
    /// # Errors
    /// As for `ask`, and when the answer is not a good one.
    pub async fn listen(mut self, request: &[u8]) -> io::Result<Pieces> {
        self.stream.write_all(request).await?;
        let (status, length) = self.head().await?;
        match (status, length) {
            (200, Length::Chunked) => Ok(Pieces(self)),
            _ => Err(io::Error::other(format!("answered {status}, and not piece by piece"))),
        }
    }

    async fn head(&mut self) -> io::Result<(u16, Length)> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut answer = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(size) =
                answer.parse(&self.buffer[self.used..]).map_err(io::Error::other)?
            {
                let status = answer.code.unwrap_or_default();
                let length = length(answer.headers, status)?;
                self.used += size;
                return Ok((status, length));
            }
            self.more().await?;
        }
    }

    /// Reads one piece of a body that comes in pieces (RFC 9112, 7.1); false after the last one.
    async fn piece(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer[self.used..]).map_err(|_| broken("a piece's size"))?;
            if let httparse::Status::Complete((head, size)) = parsed {
                let size = usize::try_from(size).map_err(io::Error::other)?;
                // The piece is followed by an end of line.
                let all = head + size + 2;
                while self.buffer.len() - self.used < all {
                    self.more().await?;
                }
                into.extend_from_slice(&self.buffer[self.used + head..self.used + head + size]);
                self.used += all;
                return Ok(size > 0);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        self.buffer.reserve(ROOM);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(broken("an answer that was not over")),
            _ => Ok(()),
        }
    }
}

/// The body of an answer that goes on.
pub struct Pieces(Line);

impl Pieces {
    /// Adds the next piece to `into`; false when it was the last one.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        self.0.piece(into).await
    }
}

fn length(headers: &[httparse::Header<'_>], status: u16) -> io::Result<Length> {
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(io::Error::other)?;
            return text.trim().parse().map(Length::Known).map_err(io::Error::other);
        }
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Length::Chunked);
        }
    }
    if status == 204 { Ok(Length::Known(0)) } else { Err(broken("an answer without a length")) }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the connection broke within {what}"))
}
