//! Bodies: read after the signature has been found good, within a size and a time, with their digest taken on the way.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING},
};
use aws_lc_rs::digest;
use ffleet_protocol::{limits, problem::Code};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(30);
/// Room made for a body before its first byte; what is only declared costs us no more.
const FIRST_ROOM: usize = 64 * 1024;

/// What a handler wants of a request's body.
pub trait Takes: 'static {
    /// What it becomes.
    type Value;
    /// The most bytes it may have; `None` when there is to be no body.
    const LIMIT: Option<usize>;
    /// Reads a body of the right size and digest.
    fn read(bytes: &[u8]) -> Result<Self::Value, ApiError>;
}

/// No body.
#[derive(Debug)]
pub struct Nothing;

/// A body in JSON of ordinary size.
#[derive(Debug)]
pub struct Body<T>(std::marker::PhantomData<T>);

/// A body in JSON that may be large: batches and logs.
#[derive(Debug)]
pub struct Large<T>(std::marker::PhantomData<T>);

impl Takes for Nothing {
    type Value = ();
    const LIMIT: Option<usize> = None;
    fn read(_: &[u8]) -> Result<(), ApiError> {
        Ok(())
    }
}

impl<T: DeserializeOwned + 'static> Takes for Body<T> {
    type Value = T;
    const LIMIT: Option<usize> = Some(limits::BODY);
    fn read(bytes: &[u8]) -> Result<T, ApiError> {
        json(bytes)
    }
}

impl<T: DeserializeOwned + 'static> Takes for Large<T> {
    type Value = T;
    const LIMIT: Option<usize> = Some(limits::LARGE_BODY);
    fn read(bytes: &[u8]) -> Result<T, ApiError> {
        json(bytes)
    }
}

/// A body that has arrived.
#[derive(Debug)]
pub struct Received {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Whether the head announces a body.
pub fn is_announced(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// Says no to what the head alone shows to be wrong, before a byte is read.
pub fn check_head(request: &HttpRequest, limit: Option<usize>) -> Result<(), ApiError> {
    let headers = request.headers();
    if !is_announced(headers) {
        return Ok(());
    }
    let Some(limit) = limit else {
        return Err(ApiError::bad_request("this call takes no body; send it without one"));
    };
    if let Some(length) = headers.get(CONTENT_LENGTH) {
        let length = length.to_str().ok().and_then(|text| text.parse::<u64>().ok());
        let length = length.ok_or_else(|| ApiError::bad_request("Content-Length is not a number"))?;
        if length > limit as u64 {
            return Err(ApiError::TooLarge { limit });
        }
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(ApiError::UnsupportedMediaType("bodies are not taken compressed; send plain JSON"));
    }
    let is_json = |value: &str| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    };
    if headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json) {
        Ok(())
    } else {
        Err(ApiError::UnsupportedMediaType("send the header Content-Type: application/json"))
    }
}

/// Reads a body to its end. What was declared is not believed: the limit holds for what comes.
pub async fn receive(payload: &mut Payload, limit: usize) -> Result<Received, ApiError> {
    receive_within(DEADLINE, payload, limit).await
}

async fn receive_within(deadline: Duration, payload: &mut Payload, limit: usize) -> Result<Received, ApiError> {
    match tokio::time::timeout(deadline, collect(payload, limit)).await {
        Ok(received) => received,
        Err(_) => Err(ApiError::SlowBody { seconds: deadline.as_secs() }),
    }
}

async fn collect(payload: &mut Payload, limit: usize) -> Result<Received, ApiError> {
    let mut bytes = Vec::with_capacity(FIRST_ROOM.min(limit));
    // The library that TLS brings along: on processors without instructions for it, it takes half as long as others.
    let mut digest = digest::Context::new(&digest::SHA256);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ApiError::bad_request(format!("the body broke off: {error}")))?;
        if chunk.len() > limit - bytes.len() {
            return Err(ApiError::TooLarge { limit });
        }
        digest.update(&chunk);
        bytes.extend_from_slice(&chunk);
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest.finish().as_ref());
    Ok(Received { bytes, sha256 })
}

/// Missing fields and anything after the value are errors that say where; so are fields that are not known, where people write
/// (see `ffleet_protocol::version`).
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return Err(ApiError::bad_request("this call needs a body in JSON"));
    }
    // serde would also read a list of a struct's values, in an order that nobody promised.
    if let Some(first) = bytes.trim_ascii_start().first()
        && matches!(first, b'[' | b'"' | b'n' | b't' | b'f' | b'-' | b'0'..=b'9')
    {
        return Err(ApiError::unreadable("", "expected a JSON object", "; see /openapi.json for its fields"));
    }
    // Knowing the way to a field costs as much as reading it; what is in order is read without.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.into_inner());
        if error.is_data() {
            ApiError::unreadable(&path, &error.to_string(), "; see /openapi.json for what is taken")
        } else {
            broken(format!("the body is not valid JSON: {error}"))
        }
    })?;
    match reader.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(broken(format!("something follows the JSON value: {error}"))),
    }
}

fn broken(detail: String) -> ApiError {
    ApiError::BadRequest { code: Code::BrokenJson, detail, errors: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use actix_web::{error::PayloadError, test::TestRequest};
    use bytes::Bytes;
    use ffleet_protocol::job::{JobSpec, SignalRequest};
    use futures_util::stream;

    use super::*;

    type Chunk = Result<Bytes, PayloadError>;

    fn payload(chunks: Vec<Chunk>) -> Payload {
        let stream: Pin<Box<dyn futures_util::Stream<Item = Chunk>>> = Box::pin(stream::iter(chunks));
        Payload::from(stream)
    }

    fn code(error: &ApiError) -> Code {
        error.code()
    }

    #[actix_web::test]
    async fn the_digest_is_of_what_came() {
        let chunks = vec![Ok(Bytes::from_static(b"{\"hello\": ")), Ok(Bytes::from_static(b"\"world\"}"))];
        let received = receive(&mut payload(chunks), 100).await.unwrap();
        assert_eq!(received.bytes, b"{\"hello\": \"world\"}");
        assert_eq!(received.sha256, <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(&received.bytes)));
    }

    #[actix_web::test]
    async fn the_limit_holds_while_reading_whatever_was_declared() {
        let chunks = || vec![Ok(Bytes::from(vec![b' '; 6])), Ok(Bytes::from(vec![b' '; 5]))];
        assert!(receive(&mut payload(chunks()), 11).await.is_ok());
        assert_eq!(code(&receive(&mut payload(chunks()), 10).await.unwrap_err()), Code::TooLarge);
    }

    #[actix_web::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let chunks = vec![Ok(Bytes::from_static(b"{}")), Err(PayloadError::Incomplete(None))];
        assert_eq!(code(&receive(&mut payload(chunks), 10).await.unwrap_err()), Code::BadRequest);
    }

    #[actix_web::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never: Pin<Box<dyn futures_util::Stream<Item = Chunk>>> = Box::pin(stream::pending());
        let refused = receive_within(Duration::ZERO, &mut Payload::from(never), 10).await.unwrap_err();
        assert!(matches!(refused, ApiError::SlowBody { .. }));
    }

    #[test]
    fn the_head_alone_can_say_no() {
        let check = |headers: &[(&'static str, &'static str)], limit| {
            let mut request = TestRequest::post();
            for header in headers {
                request = request.insert_header(*header);
            }
            check_head(&request.to_http_request(), limit).map_err(|error| code(&error))
        };
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(check(&[], Some(5)), Ok(()));
        assert_eq!(check(&[("content-length", "0")], None), Ok(()));
        assert_eq!(check(&[("content-length", "1"), json], None), Err(Code::BadRequest));
        assert_eq!(check(&[("transfer-encoding", "chunked"), json], None), Err(Code::BadRequest));
        assert_eq!(check(&[("content-length", "5"), json], Some(5)), Ok(()));
        assert_eq!(check(&[("content-length", "6"), json], Some(5)), Err(Code::TooLarge));
        assert_eq!(check(&[("content-length", "5")], Some(5)), Err(Code::UnsupportedMediaType));
        let gzip = ("content-encoding", "gzip");
        assert_eq!(check(&[("content-length", "5"), json, gzip], Some(5)), Err(Code::UnsupportedMediaType));
        assert_eq!(
            check(&[("content-length", "5"), ("content-type", "text/json")], Some(5)),
            Err(Code::UnsupportedMediaType)
        );
    }

    #[test]
    fn json_is_read_strictly_and_errors_say_where() {
        let read = |text: &str| match json::<SignalRequest>(text.as_bytes()) {
            Ok(_) => "taken".to_owned(),
            Err(error) => format!("{} {error}", error.code()),
        };
        assert_eq!(read(r#"{"signal":"quit"}"#), "taken");
        for (text, part) in [
            ("", "bad_request this call needs a body"),
            (r#"{"signal":"quit","x":1}"#, "unknown_field x: unknown field `x`, expected `signal`"),
            (r#"{"signal":"stop"}"#, "bad_request signal: \"stop\" is none of quit, interrupt, terminate"),
            ("{}", "bad_request signal: missing field `signal`"),
            (r#"{"signal":"quit","signal":"quit"}"#, "bad_request signal: duplicate field `signal`"),
            (r#"{"signal":"quit"} {}"#, "broken_json something follows"),
            ("{\n\"signal\":", "broken_json the body is not valid JSON: EOF while parsing a value at line 2"),
            ("{", "broken_json the body is not valid JSON: EOF while parsing"),
            ("{\"signal", "broken_json the body is not valid JSON: EOF while parsing"),
            ("\u{feff}{}", "broken_json the body is not valid JSON: expected value"),
        ] {
            assert!(read(text).starts_with(part), "{text:?} gave {}", read(text));
        }
    }

    #[test]
    fn no_depth_of_nesting_upsets_the_reader() {
        let deep = |open: &str| json::<JobSpec>(open.repeat(100_000).as_bytes()).unwrap_err().code();
        assert_eq!(deep("["), Code::BadRequest);
        assert_eq!(deep("{\"needs\":"), Code::UnknownField);
        let inside = |field: &str, open: &str| {
            json::<JobSpec>(format!("{{\"{field}\":{}", open.repeat(100_000)).as_bytes()).unwrap_err().code()
        };
        for field in ["args", "labels", "needs", "retry", "after", "cwd", "nothing"] {
            for open in ["[", "{\"b64\":", "[{\"on\":"] {
                let code = inside(field, open);
                assert!(
                    matches!(code, Code::BadRequest | Code::BrokenJson | Code::UnknownField),
                    "{field} {open} {code}"
                );
            }
        }
    }
}
