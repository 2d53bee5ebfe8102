//! The contract: each wire message as exact JSON, one file each under `tests/golden/`. A diff there is a diff in the
//! contract. `UPDATE_GOLDEN=1` rewrites the files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod accounts;
mod jobs;
mod logs;
mod overview;
mod rest;
mod tasks;
mod values;
mod workers;

use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

use ffleet_protocol::{
    account::{NewAccount, RotateRequest, Scope},
    job::{BatchRequest, ClientHeartbeat, JobFilter, JobSpec, SignalRequest},
    log::LogBatch,
    overview::OverviewQuery,
    task::{AcceptRequest, ClaimRequest, FinishRequest, PublishingRequest, RejectRequest},
    worker::{HeartbeatRequest, Registration},
};
use serde::{Serialize, de::DeserializeOwned};

/// What was compared, so that a file whose message is gone is noticed.
#[derive(Default)]
struct Golden {
    names: BTreeSet<String>,
}

impl Golden {
    /// The value is written exactly as the file says, and the file is read back as exactly the value.
    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        assert!(self.names.insert(name.to_owned()), "{name} is used twice");
        let path = folder().join(format!("{name}.json"));
        let written = serde_json::to_string_pretty(value).unwrap() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &written).unwrap();
        }
        let file = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes it", path.display()));
        assert_eq!(written, file, "{name} is written differently; if that is meant, UPDATE_GOLDEN=1 rewrites the file");
        assert_eq!(&serde_json::from_str::<T>(&file).unwrap(), value, "{name} is read back differently");
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn messages_are_written_and_read_as_the_golden_files_say() {
    let golden = &mut Golden::default();
    accounts::check(golden);
    jobs::check(golden);
    logs::check(golden);
    overview::check(golden);
    tasks::check(golden);
    workers::check(golden);
    rest::check(golden);
    let files: BTreeSet<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, golden.names, "a golden file without its message");
}

/// Senders of the other version may leave away what has a default.
#[test]
fn what_is_left_away_has_its_default() {
    let read: JobSpec = serde_json::from_str(r#"{"args": ["-version"]}"#).unwrap();
    assert_eq!(read, values::minimal_spec());
    let read: NewAccount = serde_json::from_str(r#"{"id": "a", "role": "worker"}"#).unwrap();
    assert_eq!(read.scope, Scope::default());
    let read: RotateRequest = serde_json::from_str("{}").unwrap();
    assert_eq!(read.overlap_s, 86_400);
}

/// A misspelt field is an error that names it, in everything that clients and workers send.
#[test]
fn unknown_fields_are_refused_by_name() {
    fn refused<T: DeserializeOwned + Debug>(file: &str) {
        let text = fs::read_to_string(folder().join(format!("{file}.json"))).unwrap();
        let mut json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        json.insert("mispelt".to_owned(), 1.into());
        let error = serde_json::from_value::<T>(json.into()).unwrap_err().to_string();
        assert!(error.contains("mispelt"), "{file}: {error}");
    }
    refused::<NewAccount>("new_account");
    refused::<Scope>("scope");
    refused::<RotateRequest>("rotate_request");
    refused::<JobSpec>("job_spec");
    refused::<BatchRequest>("batch_request");
    refused::<JobFilter>("job_filter");
    refused::<OverviewQuery>("overview_query");
    refused::<SignalRequest>("signal_request_quit");
    refused::<ClientHeartbeat>("client_heartbeat");
    refused::<LogBatch>("log_batch");
    refused::<ClaimRequest>("claim_request");
    refused::<AcceptRequest>("accept_request");
    refused::<RejectRequest>("reject_request");
    refused::<PublishingRequest>("publishing_request");
    refused::<FinishRequest>("finish_request");
    refused::<Registration>("registration");
    refused::<HeartbeatRequest>("heartbeat_request");
}
