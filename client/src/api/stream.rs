//! Answers without an end: NDJSON lines and server-sent events.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use ffleet_protocol::{event::Event, log::FollowRecord};
use futures_util::{StreamExt, stream::BoxStream};
use reqwest::Response;
use serde::de::DeserializeOwned;

use super::{
    ApiError,
    http::{Answer, chain},
};

/// Output of a job, record by record. Polling it can be given up and taken up again without losing anything.
pub type RecordStream = BoxStream<'static, Result<FollowRecord, ApiError>>;
/// Transitions, one by one.
pub type EventStream = BoxStream<'static, Result<Event, ApiError>>;

/// Three missed signs of life: the connection is dead, whatever the kernel thinks of it.
const IDLE: Duration = Duration::from_secs(ffleet_protocol::limits::KEEP_ALIVE_S * 3);
const LONGEST_LINE: usize = 16 * 1024 * 1024;

pub(super) fn records(answer: Answer) -> Result<RecordStream, ApiError> {
    let lines = Lines::of(answer)?;
    Ok(futures_util::stream::unfold(Some(lines), async |lines| {
        let mut lines = lines?;
        loop {
            match lines.next().await {
                Ok(Some(line)) if line.is_empty() => {}
                Ok(Some(line)) => {
                    let record = lines.parse(&line).or_else(|error| newer(&line).ok_or(error));
                    let rest = record.is_ok().then_some(lines);
                    return Some((record, rest));
                }
                Ok(None) => return None,
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
    .boxed())
}

/// A whole line that says what it is, and cannot be read: a newer coordinator has put something into it that this version has
/// no word for. The lines after it are as good as ever.
fn newer(line: &[u8]) -> Option<FollowRecord> {
    let json: serde_json::Value = serde_json::from_slice(line).ok()?;
    json.get("type")?.as_str().map(|_| FollowRecord::Unknown)
}

pub(super) fn events(answer: Answer) -> Result<EventStream, ApiError> {
    let lines = Lines::of(answer)?;
    Ok(futures_util::stream::unfold(Some((lines, Vec::new())), async |state| {
        let (mut lines, mut data) = state?;
        loop {
            match lines.next().await {
                // An empty line ends an event; comments (signs of life) and `id:` carry nothing that `data` has not.
                Ok(Some(line)) if line.is_empty() && !data.is_empty() => {
                    let event = lines.parse(&data);
                    let rest = event.is_ok().then(|| (lines, Vec::new()));
                    return Some((event, rest));
                }
                Ok(Some(line)) => {
                    if let Some(rest) = line.strip_prefix(b"data:") {
                        data.extend_from_slice(rest);
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
    .boxed())
}

/// Lines of a response, without their ends.
struct Lines {
    url: String,
    response: Response,
    buffer: BytesMut,
    /// Up to here the buffer holds no line end.
    searched: usize,
}

impl Lines {
    fn of(answer: Answer) -> Result<Self, ApiError> {
        let Answer { url, rest, status: _, body: _ } = answer;
        match rest {
            Some(response) => Ok(Self { url, response, buffer: BytesMut::new(), searched: 0 }),
            None => Err(ApiError::Protocol { url, what: "an answer instead of a stream".to_owned() }),
        }
    }

    async fn next(&mut self) -> Result<Option<BytesMut>, ApiError> {
        loop {
            if let Some(line) = take_line(&mut self.buffer, &mut self.searched) {
                return Ok(Some(line));
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(self.interrupted("a line of the answer is far too long"));
            }
            match tokio::time::timeout(IDLE, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.buffer.extend_from_slice(&chunk),
                Ok(Ok(None)) if self.buffer.is_empty() => return Ok(None),
                Ok(Ok(None)) => return Err(self.interrupted("it ended in the middle of a line")),
                Ok(Err(error)) => return Err(self.interrupted(&chain(&error))),
                Err(_) => return Err(self.interrupted(&format!("no sign of life for {} s", IDLE.as_secs()))),
            }
        }
    }

    fn interrupted(&self, cause: &str) -> ApiError {
        ApiError::Interrupted { url: self.url.clone(), cause: cause.to_owned() }
    }

    fn parse<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, ApiError> {
        serde_json::from_slice(line).map_err(|error| {
            let start = String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned();
            ApiError::Protocol { url: self.url.clone(), what: format!("{error} in a streamed line: {start}") }
        })
    }
}

/// Takes the first whole line out of `buffer`, without looking at any byte twice.
fn take_line(buffer: &mut BytesMut, searched: &mut usize) -> Option<BytesMut> {
    match buffer[*searched..].iter().position(|byte| *byte == b'\n') {
        Some(at) => {
            let mut line = buffer.split_to(*searched + at);
            buffer.advance(1);
            *searched = 0;
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            Some(line)
        }
        None => {
            *searched = buffer.len();
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_newer_coordinator_are_left_out_and_broken_ones_are_not() {
        let smell =
            br#"{"type":"output","task":"01900000-0000-7000-8000-000000000011","epoch":1,"seq":1,"stream":"smell"}"#;
        assert_eq!(newer(smell), Some(FollowRecord::Unknown));
        for broken in [&b"{\"type\":\"output\""[..], b"<html>", b"7", b"{}", b"{\"type\":7}"] {
            assert_eq!(newer(broken), None);
        }
    }

    #[test]
    fn lines_come_out_however_they_were_cut() {
        let text = b"one\r\n\ntwo three\nrest";
        for size in 1..text.len() {
            let (mut buffer, mut searched, mut lines) = (BytesMut::new(), 0, Vec::new());
            for piece in text.chunks(size) {
                buffer.extend_from_slice(piece);
                while let Some(line) = take_line(&mut buffer, &mut searched) {
                    lines.push(String::from_utf8(line.to_vec()).unwrap());
                }
            }
            assert_eq!(lines, ["one", "", "two three"]);
            assert_eq!(&buffer[..], b"rest");
        }
    }
}
