//! Bodies: any bytes are taken or refused, and what was taken can be written and read again as the same.

use std::fmt::Debug;

use ffleet_protocol::{
    account::{NewAccount, RotateRequest, Scope},
    job::{BatchRequest, ClientHeartbeat, JobFilter, JobSpec, SignalRequest},
    log::{Cursor, FollowRecord, LogBatch},
    problem::Problem,
    task::{AcceptRequest, ClaimRequest, FinishRequest, PublishingRequest, RejectRequest},
    topic::Topic,
    worker::{HeartbeatRequest, Registration},
};
use serde::{Serialize, de::DeserializeOwned};

/// Every body there is; and texts in queries that have a form.
pub(crate) fn run(bytes: &[u8]) {
    exact::<JobSpec>(bytes);
    exact::<BatchRequest>(bytes);
    exact::<SignalRequest>(bytes);
    exact::<ClientHeartbeat>(bytes);
    exact::<JobFilter>(bytes);
    exact::<Registration>(bytes);
    exact::<ClaimRequest>(bytes);
    exact::<AcceptRequest>(bytes);
    exact::<RejectRequest>(bytes);
    exact::<PublishingRequest>(bytes);
    exact::<FinishRequest>(bytes);
    exact::<NewAccount>(bytes);
    exact::<Scope>(bytes);
    exact::<RotateRequest>(bytes);
    exact::<Problem>(bytes);
    // These hold fractions, whose last digit may be another one when they are read again.
    again::<HeartbeatRequest>(bytes);
    again::<LogBatch>(bytes);
    again::<FollowRecord>(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(cursor) = text.parse::<Cursor>() {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        if let Ok(topic) = text.parse::<Topic>() {
            assert_eq!(topic.to_string().parse::<Topic>().unwrap(), topic);
        }
    }
}

fn exact<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Some((value, read)) = again::<T>(bytes) {
        assert_eq!(value, read);
    }
}

fn again<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<(T, T)> {
    let value: T = serde_json::from_slice(bytes).ok()?;
    let written = serde_json::to_vec(&value).expect("what was read can be written");
    let read = serde_json::from_slice(&written);
    let read = read.unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(&written)));
    Some((value, read))
}
