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
mod versions;
mod workers;

use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

use ffleet_protocol::{
    account::{NewAccount, RotateRequest, Scope},
    job::JobSpec,
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
        versions::check(name, value);
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()
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
