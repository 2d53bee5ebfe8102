//! Output of tasks: what workers append, what is followed, and where a reader is.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    id::{Incarnation, JobId, TaskId, Token, WorkerId},
    job::{AttemptEnd, Outcome},
    state::{JobStatus, Phase, Stream},
};

/// One piece of output. Records of an attempt are numbered from 1 without gaps, over all streams together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Wire")]
pub struct Record {
    /// Its number; for a declared loss the first number of the range.
    pub seq: u64,
    /// Where it came from.
    pub stream: Stream,
    /// When the worker read it, by the worker's clock; for people only.
    pub at: Timestamp,
    /// What it holds.
    #[serde(flatten)]
    pub data: Data,
    /// What ended it, on stderr; absent on other streams and where output ended without either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<LineEnd>,
}

/// A record as it is read. Its fields are named here one by one because serde would otherwise keep all of them until it knows
/// which of the three kinds of data they make, which costs several times the reading: and there are very many records.
#[derive(Deserialize)]
struct Wire {
    seq: u64,
    stream: Stream,
    at: Timestamp,
    text: Option<String>,
    b64: Option<String>,
    dropped: Option<Dropped>,
    #[serde(default)]
    end: Option<LineEnd>,
}

impl TryFrom<Wire> for Record {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let Wire { seq, stream, at, text, b64, dropped, end } = wire;
        let data = match (text, b64, dropped) {
            (Some(text), None, None) => Data::Text(text),
            (None, Some(text), None) => Data::B64(text),
            (None, None, Some(dropped)) => Data::Dropped(dropped),
            _ => return Err("a record has exactly one of the fields `text`, `b64` and `dropped`"),
        };
        Ok(Self { seq, stream, at, data, end })
    }
}

impl Record {
    /// The last number this record stands for; greater than `seq` only for a declared loss.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        match &self.data {
            Data::Dropped(dropped) => dropped.to,
            Data::Text(_) | Data::B64(_) => self.seq,
        }
    }
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// Bytes that are UTF-8.
    Text(String),
    /// Bytes that are not, in base64.
    B64(String),
    /// Records that are lost; they will not come.
    Dropped(Dropped),
}

impl Data {
    /// Wraps bytes as they are written best.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        // JSON spends six bytes on each of these, so a stream of zeros would be five times as long as in base64.
        let escaped = bytes.iter().filter(|byte| **byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t')).count();
        if escaped * 15 > bytes.len() {
            return Self::B64(STANDARD.encode(bytes));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::B64(STANDARD.encode(error.as_bytes())),
        }
    }

    /// The bytes again; nothing for a loss or for base64 that is none.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::B64(text) => STANDARD.decode(text).ok(),
            Self::Dropped(_) => None,
        }
    }
}

/// Records that are lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dropped {
    /// The last number of the range.
    pub to: u64,
    /// How many bytes they held, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why.
    pub reason: DropReason,
}

/// Why records are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The log of the task is over its limit; the middle went.
    LogCap,
    /// The worker's spool was full while no coordinator answered.
    SpoolFull,
    /// The worker lost its spool, with a restart or a disk.
    SpoolLost,
    /// For a reason that only a newer version has a word for.
    #[serde(other)]
    Unknown,
}

/// What ended a line of stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum LineEnd {
    /// `\n`
    #[serde(rename = "lf")]
    Lf,
    /// `\r`: the next line overwrites this one, as FFmpeg's status line does.
    #[serde(rename = "cr")]
    Cr,
}

/// `POST /v1/tasks/{id}/logs`. A repeated batch changes nothing; one that begins after a gap is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogBatch {
    /// The worker.
    pub worker: WorkerId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The attempt.
    pub epoch: u32,
    /// Its lease.
    pub token: Token,
    /// In order, without gaps; may be empty when only progress is told.
    pub records: Vec<Record>,
    /// The newest progress; written at most once in 2 s per task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// The answer to a log batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogAnswer {
    /// The number the next record must have.
    pub next_seq: u64,
}

/// How far an attempt is, from FFmpeg's `-progress`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// What the attempt is busy with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Frames written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// Frames per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Bits per second of the output so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<f64>,
    /// Bytes written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Media time written, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_time_us: Option<i64>,
    /// Media time of the whole, in microseconds, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<i64>,
    /// Times real time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Seconds left at this speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_s: Option<f64>,
}

/// One line of `GET /v1/jobs/{id}/logs`: NDJSON, told apart by `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FollowRecord {
    /// The job's status, at the beginning and whenever it has changed.
    Status {
        /// The job.
        job: JobId,
        /// Where it stands.
        status: JobStatus,
    },
    /// A new attempt begins.
    Attempt {
        /// The task.
        task: TaskId,
        /// The attempt's number.
        epoch: u32,
        /// Who tries.
        worker: WorkerId,
    },
    /// Output. A `dropped` in it says that records are lost.
    Output {
        /// The task.
        task: TaskId,
        /// The attempt.
        epoch: u32,
        /// The record.
        #[serde(flatten)]
        record: Record,
    },
    /// An attempt that was not the last one has ended.
    AttemptEnded {
        /// The task.
        task: TaskId,
        /// The attempt's number.
        epoch: u32,
        /// How.
        end: AttemptEnd,
        /// Why, for people.
        message: Option<String>,
    },
    /// How far a running task is.
    Progress {
        /// The task.
        task: TaskId,
        /// The attempt.
        epoch: u32,
        /// How far.
        progress: Progress,
    },
    /// Everything above has been seen by whoever asks again from here.
    Cursor {
        /// For `after`.
        cursor: Cursor,
    },
    /// Nothing new; the connection is alive.
    KeepAlive {},
    /// The job has ended and nothing follows. Absent when the stream ends before the job.
    Outcome {
        /// The job.
        job: JobId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something that only newer versions tell. Whoever reads it leaves it out; the records around it stand for themselves.
    #[serde(other)]
    Unknown,
}

/// Where a reader is in the output of a job; opaque to everybody but coordinators. Any coordinator can go on from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// For each task what was last shown.
    pub tasks: BTreeMap<TaskId, Position>,
}

/// Where a reader is in the output of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The attempt.
    #[serde(rename = "e")]
    pub epoch: u32,
    /// The last record shown of it.
    #[serde(rename = "s")]
    pub seq: u64,
    /// The same for standard output that is held back until an attempt has ended well (`rerun_stdout`).
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub stdout_seq: u64,
    /// Whether the end of this attempt was told.
    #[serde(rename = "d", default, skip_serializing_if = "is_false")]
    pub end_told: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_false(b: &bool) -> bool {
    !*b
}

impl utoipa::PartialSchema for Cursor {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

impl ToSchema for Cursor {}

/// A text that no coordinator gave out as a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this cursor was not given out by a coordinator; leave it away to start at the beginning")]
pub struct BadCursor;

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_vec(&self.tasks).map_err(|_| std::fmt::Error)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(json))
    }
}

impl std::str::FromStr for Cursor {
    type Err = BadCursor;
    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        Ok(Self { tasks: serde_json::from_slice(&json).map_err(|_| BadCursor)? })
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_given_out() {
        let mut cursor = Cursor::default();
        cursor.tasks.insert(TaskId::new(), Position { epoch: 2, seq: 17, stdout_seq: 0, end_told: true });
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!("%%".parse::<Cursor>(), Err(BadCursor));
    }

    #[test]
    fn a_record_has_one_kind_of_data() {
        let read = |data: &str| {
            let text = format!(r#"{{"seq":1,"stream":"stderr","at":"2026-01-02T03:04:05Z"{data}}}"#);
            serde_json::from_str::<Record>(&text)
        };
        assert_eq!(read(r#","text":"a""#).unwrap().data, Data::Text("a".to_owned()));
        assert_eq!(read(r#","b64":"AA==","end":"cr""#).unwrap().end, Some(LineEnd::Cr));
        let dropped = read(r#","dropped":{"to":7,"reason":"log_cap"}"#).unwrap();
        assert_eq!(dropped.last_seq(), 7);
        assert_eq!(
            read(r#","text":"a","colour":"red""#).unwrap().data,
            Data::Text("a".to_owned()),
            "of a newer worker"
        );
        for bad in ["", r#","text":"a","b64":"AA==""#, r#","smell":"a""#, r#","text":null"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let followed = FollowRecord::Output { task: TaskId::new(), epoch: 1, record: dropped };
        let text = serde_json::to_string(&followed).unwrap();
        assert_eq!(serde_json::from_str::<FollowRecord>(&text).unwrap(), followed);
    }

    #[test]
    fn bytes_survive_as_text_or_base64() {
        for bytes in [b"plain".to_vec(), b"\xff\x00\xfe".to_vec(), Vec::new(), vec![0; 99], b"a\r\n\t".to_vec()] {
            assert_eq!(Data::of(bytes.clone()).bytes(), Some(bytes));
        }
        assert!(matches!(Data::of(vec![0; 99]), Data::B64(_)));
        assert!(matches!(Data::of(b"\x1b[31mred text\x1b[0m and more words\n".to_vec()), Data::Text(_)));
    }
}
