//! Where a message of HTTP/1.1 ends: as much of the protocol as a proxy needs that looks at whole requests and answers.

use httparse::{EMPTY_HEADER, Header, Status};

const MOST_HEADERS: usize = 64;
/// Longer heads are nobody's whom a test starts.
pub(super) const LONGEST_HEAD: usize = 64 * 1024;

/// It is no HTTP/1.1.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed;

/// What a request says before its body.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// Bytes of the head itself.
    pub(super) len: usize,
    pub(super) body: Body,
}

/// What an answer says before its body.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) status: u16,
    pub(super) len: usize,
    pub(super) body: Body,
}

impl RequestHead {
    /// The head at the start of `bytes`, if all of it is there.
    pub(super) fn of(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(Status::Complete(len)) => {
                let target = request.path.unwrap_or_default();
                let path = target.split('?').next().unwrap_or_default().to_owned();
                let body = Body::of(request.headers)?.unwrap_or(Body::Over);
                Ok(Some(Self { method: request.method.unwrap_or_default().to_owned(), path, len, body }))
            }
            Ok(Status::Partial) if bytes.len() <= LONGEST_HEAD => Ok(None),
            Ok(Status::Partial) | Err(_) => Err(Malformed),
        }
    }
}

impl AnswerHead {
    /// The head of the answer to a request with this method.
    pub(super) fn of(bytes: &[u8], method: &str) -> Result<Option<Self>, Malformed> {
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        match answer.parse(bytes) {
            Ok(Status::Complete(len)) => {
                let status = answer.code.unwrap_or_default();
                let bodiless = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
                let body = if bodiless { Body::Over } else { Body::of(answer.headers)?.unwrap_or(Body::ToTheEnd) };
                Ok(Some(Self { status, len, body }))
            }
            Ok(Status::Partial) if bytes.len() <= LONGEST_HEAD => Ok(None),
            Ok(Status::Partial) | Err(_) => Err(Malformed),
        }
    }
}

/// How much of a body is still to come.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing.
    Over,
    /// So many bytes.
    Sized(u64),
    /// Chunks, of which the reader stands in this part.
    Chunked(Chunk),
    /// Whatever comes before the connection ends.
    ToTheEnd,
}

/// A place in a chunked body.
#[derive(Debug)]
pub(super) enum Chunk {
    /// In a line with a size.
    Size(Vec<u8>),
    /// So many bytes of data, and their line end.
    Data(u64),
    /// In a line after the last chunk.
    Trailer(Vec<u8>),
}

impl Body {
    fn of(headers: &[Header<'_>]) -> Result<Option<Self>, Malformed> {
        let value = |name: &str| {
            let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| std::str::from_utf8(header.value).map(str::trim).map_err(|_| Malformed)).transpose()
        };
        if value("transfer-encoding")?.is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked")) {
            return Ok(Some(Self::Chunked(Chunk::Size(Vec::new()))));
        }
        match value("content-length")? {
            Some(length) => length.parse().map(|length| Some(Self::sized(length))).map_err(|_| Malformed),
            None => Ok(None),
        }
    }

    fn sized(length: u64) -> Self {
        if length == 0 { Self::Over } else { Self::Sized(length) }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Whether its end is known before it is there.
    pub(super) fn is_sized(&self) -> bool {
        matches!(self, Self::Over | Self::Sized(_))
    }

    /// How many of `bytes` belong to it; it goes on after them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_over() {
            let rest = &bytes[taken..];
            taken += match self {
                Self::Over => 0,
                Self::ToTheEnd => rest.len(),
                Self::Sized(left) => {
                    let part = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *self = Self::sized(*left - part as u64);
                    part
                }
                Self::Chunked(chunk) => {
                    let (part, next) = chunk.take(rest)?;
                    match next {
                        Some(next) => *chunk = next,
                        None => *self = Self::Over,
                    }
                    part
                }
            };
        }
        Ok(taken)
    }
}

impl Chunk {
    /// How many of `bytes` belong to this part, and what follows it: nothing after the last.
    fn take(&mut self, bytes: &[u8]) -> Result<(usize, Option<Self>), Malformed> {
        match self {
            Self::Data(left) => {
                let part = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                let left = *left - part as u64;
                Ok((part, Some(if left == 0 { Self::Size(Vec::new()) } else { Self::Data(left) })))
            }
            Self::Size(line) | Self::Trailer(line) if line.len() > LONGEST_HEAD => Err(Malformed),
            Self::Size(line) => match whole_line(line, bytes) {
                (part, None) => Ok((part, Some(Self::Size(std::mem::take(line))))),
                (part, Some(line)) => match httparse::parse_chunk_size(&line) {
                    Ok(Status::Complete((_, 0))) => Ok((part, Some(Self::Trailer(Vec::new())))),
                    Ok(Status::Complete((_, size))) => Ok((part, Some(Self::Data(size + 2)))),
                    Ok(Status::Partial) | Err(_) => Err(Malformed),
                },
            },
            Self::Trailer(line) => match whole_line(line, bytes) {
                (part, None) => Ok((part, Some(Self::Trailer(std::mem::take(line))))),
                (part, Some(line)) if line == b"\r\n" => Ok((part, None)),
                (part, Some(_)) => Ok((part, Some(Self::Trailer(Vec::new())))),
            },
        }
    }
}

/// Adds to a line as far as its end; gives it when it is whole.
fn whole_line(line: &mut Vec<u8>, bytes: &[u8]) -> (usize, Option<Vec<u8>>) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => {
            line.extend_from_slice(&bytes[..=at]);
            (at + 1, Some(std::mem::take(line)))
        }
        None => {
            line.extend_from_slice(bytes);
            (bytes.len(), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the body ends, fed in pieces of every size.
    fn length(head: &str, body: &str) -> Vec<usize> {
        let text = [head, body].concat();
        let ends = (1..=text.len()).map(|size| {
            let head = AnswerHead::of(text.as_bytes(), "GET").unwrap().unwrap();
            let (mut body, mut taken) = (head.body, 0);
            for piece in text.as_bytes()[head.len..].chunks(size) {
                taken += body.take(piece).unwrap();
            }
            assert!(body.is_over());
            taken
        });
        ends.collect()
    }

    #[test]
    fn bodies_end_where_they_say() {
        let sized = length("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "hello, and more");
        assert!(sized.iter().all(|length| *length == 5), "{sized:?}");
        let chunks = "4\r\nwiki\r\nA;x=y\r\n0123456789\r\n0\r\nafter: all\r\n\r\n";
        let chunked = length("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &format!("{chunks}HTTP/1.1 "));
        assert!(chunked.iter().all(|length| *length == chunks.len()), "{chunked:?}");
        let none = length("HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200");
        assert!(none.iter().all(|length| *length == 0), "{none:?}");
    }

    #[test]
    fn requests_name_their_method_and_path() {
        let text = b"POST /v1/jobs?x=1 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
        let head = RequestHead::of(text).unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.path.as_str(), head.len), ("POST", "/v1/jobs", text.len() - 2));
        assert!(RequestHead::of(&text[..30]).unwrap().is_none());
        assert!(matches!(RequestHead::of(&[0x16, 3, 1, 2]), Err(Malformed)));
    }
}
