//! Values that occur in several messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use ffleet_protocol::{
    Timestamp,
    id::{Incarnation, JobId, TaskId, Token},
    job::{JobSpec, Outcome, Requirements, RetryPolicy, RetryRule},
    log::Progress,
    state::{FailureClass, JobStatus, Phase},
    template::{Arg, Variable},
};
use uuid::Uuid;

pub(crate) fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n)
}

pub(crate) const JOB: u128 = 0x10;
pub(crate) const TASK: u128 = 0x11;

pub(crate) fn job() -> JobId {
    JobId(uuid(JOB))
}

pub(crate) fn task() -> TaskId {
    TaskId(uuid(TASK))
}

pub(crate) fn token() -> Token {
    Token(uuid(0x20))
}

pub(crate) fn incarnation() -> Incarnation {
    Incarnation(uuid(0x21))
}

/// So many seconds after the beginning of the story.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_700_000_000_123_456 + seconds * 1_000_000).unwrap()
}

pub(crate) fn name<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn map<V>(entries: impl IntoIterator<Item = (&'static str, V)>) -> BTreeMap<String, V> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(crate) fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn variables(names: &[&str]) -> BTreeSet<Variable> {
    names.iter().map(|text| name(text)).collect()
}

pub(crate) fn spec() -> JobSpec {
    JobSpec {
        program: "ffmpeg".to_owned(),
        args: vec![
            "-i".into(),
            "file:$Media/in/a.mkv".into(),
            "-media_seg_name".into(),
            "$$Number%05d$$.m4s".into(),
            Arg::from(b"$Out/\xff.mp4".to_vec()),
        ],
        cwd: Some("$Media/in".into()),
        priority: -5,
        labels: map([("show", "Pilot".to_owned())]),
        needs: requirements(),
        after: vec![JobId(uuid(0x0f))],
        monitor: true,
        queue_timeout_s: Some(3600),
        timeout_s: Some(7200),
        lease_s: Some(60),
        retry: RetryPolicy {
            retries: 2,
            on: vec![
                RetryRule::Transient,
                RetryRule::Any,
                RetryRule::Class(FailureClass::DiskFull),
                RetryRule::ExitCode(42),
                RetryRule::Signal(9),
                RetryRule::LogContains("Connection reset".to_owned()),
            ],
        },
        rerun_stdout: true,
        identity: Some("b1946ac92492d234".to_owned()),
    }
}

pub(crate) fn requirements() -> Requirements {
    Requirements { tags: set(&["fast"]), encoders: set(&["h264_nvenc"]), device: Some("cuda".to_owned()) }
}

pub(crate) fn minimal_spec() -> JobSpec {
    JobSpec {
        program: "ffmpeg".to_owned(),
        args: vec!["-version".into()],
        cwd: None,
        priority: 0,
        labels: BTreeMap::new(),
        needs: Requirements::default(),
        after: Vec::new(),
        monitor: false,
        queue_timeout_s: None,
        timeout_s: None,
        lease_s: None,
        retry: RetryPolicy::default(),
        rerun_stdout: false,
        identity: None,
    }
}

pub(crate) fn failed() -> Outcome {
    Outcome {
        status: JobStatus::Failed,
        exit_code: Some(1),
        signal: None,
        failure: Some(FailureClass::InputNotFound),
        canceled: None,
        message: "an input does not exist".to_owned(),
    }
}

pub(crate) fn progress() -> Progress {
    Progress {
        phase: Some(Phase::Encoding),
        frame: Some(250),
        fps: Some(62.5),
        bitrate: Some(1_500_000.0),
        size: Some(1_048_576),
        out_time_us: Some(10_000_000),
        duration_us: Some(40_000_000),
        speed: Some(2.5),
        percent: Some(25.0),
        eta_s: Some(12.0),
    }
}
