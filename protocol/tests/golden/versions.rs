//! The version before this one and the one after it. `previous/` holds the messages as the version before wrote them, and is
//! never rewritten: with each new version it becomes a copy of the golden files of the one before.

use std::{fmt::Debug, fs};

use ffleet_protocol::{
    account::{NewAccount, RotateRequest, Scope},
    job::{BatchRequest, JobFilter, JobSpec, SignalRequest},
    log::FollowRecord,
    overview::OverviewQuery,
    task::{Exit, FinishRequest, Order, Verdict},
    worker::Registered,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{folder, read};

/// What people write as well, where a field that is not known is an error.
const STRICT: [&str; 9] = [
    "new_account",
    "scope",
    "rotate_request",
    "job_spec",
    "job_spec_minimal",
    "batch_request",
    "job_filter",
    "overview_query",
    "signal_request",
];

fn is_strict(name: &str) -> bool {
    STRICT.contains(&name) || name.starts_with("signal_request_") || name == "need"
}

/// Both neighbours of a message: the golden file `name`, and the one of the version before.
pub(crate) fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    if let Ok(text) = fs::read_to_string(folder().join(format!("previous/{name}.json"))) {
        let before: T = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{name} of the version before is not read any more: {error}"));
        let (then, now) = (serde_json::from_str(&text).unwrap(), serde_json::to_value(&before).unwrap());
        says_still(name, &then, &now);
        says_still(name, &then, &serde_json::to_value(value).unwrap());
    }
    if !is_strict(name) {
        let later = with_news(serde_json::to_value(value).unwrap());
        let read: T = serde_json::from_value(later.clone())
            .unwrap_or_else(|error| panic!("{name} of a version after this one is not read: {error} in {later:#}"));
        assert_eq!(&read, value, "{name} of a version after this one is read as something else");
    }
}

/// Whatever was said before is said again, in the same words at the same place; more may be.
fn says_still(at: &str, then: &Value, now: &Value) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            for (name, then) in then {
                let at = format!("{at}.{name}");
                says_still(&at, then, now.get(name).unwrap_or_else(|| panic!("{at} is gone or has another name")));
            }
        }
        (Value::Array(then), Value::Array(now)) => {
            assert!(then.len() <= now.len(), "{at} has lost an item");
            then.iter().zip(now).enumerate().for_each(|(n, (then, now))| says_still(&format!("{at}[{n}]"), then, now));
        }
        _ => assert_eq!(then, now, "{at}"),
    }
}

/// Maps from words to something, and arguments, whose only field says how they are written.
const NO_STRUCTS: [&str; 8] = ["labels", "programs", "variables", "jobs", "workers", "args", "path", "on"];

/// The same message with a field that nobody knows yet in each of its structs.
fn with_news(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut later: serde_json::Map<String, Value> = fields
                .into_iter()
                .map(|(name, value)| {
                    let value = match &value {
                        Value::Object(entries) if NO_STRUCTS.contains(&name.as_str()) => Value::Object(
                            entries.iter().map(|(name, entry)| (name.clone(), with_news(entry.clone()))).collect(),
                        ),
                        Value::Array(_) if ["args", "on"].contains(&name.as_str()) => value,
                        Value::Object(_) if name == "path" => value,
                        _ => with_news(value),
                    };
                    (name, value)
                })
                .collect();
            later.insert("newfangled".to_owned(), json!({ "any": [1, null, "thing"] }));
            Value::Object(later)
        }
        Value::Array(items) => items.into_iter().map(with_news).collect(),
        plain => plain,
    }
}

/// Every message of the version before still has its reader.
#[test]
fn nothing_of_the_version_before_is_gone() {
    for entry in fs::read_dir(folder().join("previous")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(folder().join(&name).exists(), "{} is read by nobody any more", name.display());
    }
}

/// A misspelt field is an error that names it, in everything that people write.
#[test]
fn unknown_fields_are_refused_by_name() {
    fn refused<T: DeserializeOwned + Debug>(file: &str) {
        let mut json: Value = serde_json::from_str(&read(file)).unwrap();
        json["mispelt"] = 1.into();
        let error = serde_json::from_value::<T>(json).unwrap_err().to_string();
        assert!(is_strict(file) && error.contains("mispelt"), "{file}: {error}");
    }
    refused::<NewAccount>("new_account");
    refused::<Scope>("scope");
    refused::<RotateRequest>("rotate_request");
    refused::<JobSpec>("job_spec");
    refused::<BatchRequest>("batch_request");
    refused::<JobFilter>("job_filter");
    refused::<OverviewQuery>("overview_query");
    refused::<SignalRequest>("signal_request_quit");
}

/// A coordinator of the version before refuses what it does not know in what people write, so nobody may tell it more than
/// somebody has asked for.
#[test]
fn what_says_nothing_is_not_written() {
    let fields = |text: &str| -> Vec<String> {
        let json: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap();
        json.keys().cloned().collect()
    };
    let written = serde_json::to_string(&crate::values::minimal_spec()).unwrap();
    assert_eq!(fields(&written), fields(&read("previous/job_spec_minimal")));
    assert_eq!(serde_json::to_string(&JobFilter::default()).unwrap(), "{}");
    assert_eq!(serde_json::to_string(&OverviewQuery::default()).unwrap(), "{}");
    let before: Vec<String> = fields(&read("previous/scope"));
    for field in fields(&serde_json::to_string(&Scope::default()).unwrap()) {
        assert!(before.contains(&field), "scope.{field} says nothing and is written");
    }
}

/// Words that only a newer version has, each with what becomes of it.
#[test]
fn words_of_the_version_after_this_one_do_no_harm() {
    let line = |text: &str| serde_json::from_str::<FollowRecord>(text).unwrap();
    assert_eq!(line(r#"{"type": "weather", "task": 7, "sun": true}"#), FollowRecord::Unknown);
    let mut outcome: Value = serde_json::from_str(&read("follow_outcome")).unwrap();
    outcome["outcome"]["failure"] = "struck_by_lightning".into();
    outcome["outcome"]["canceled"] = "bored".into();
    let FollowRecord::Outcome { outcome, .. } = serde_json::from_value(outcome).unwrap() else { panic!("an outcome") };
    assert_eq!(outcome.message, "an input does not exist", "an end is an end, whatever it is called");

    let lease = json!({ "task": "01900000-0000-7000-8000-000000000011", "epoch": 2, "next_seq": 9, "order": "migrate", "to": "x" });
    assert_eq!(serde_json::from_value::<Verdict>(lease).unwrap().order, Order::Unknown);
    let mut finish: Value = serde_json::from_str(&read("finish_request")).unwrap();
    finish["exit"] = json!({ "how": "evaporated", "at_kelvin": 373 });
    assert_eq!(serde_json::from_value::<FinishRequest>(finish).unwrap().exit, Exit::None);
    assert!(serde_json::from_str::<SignalRequest>(r#"{"signal": "wink"}"#).unwrap_err().to_string().contains("quit"));
}

/// Coordinators of the version before name neither their version nor the account.
#[test]
fn a_registration_is_answered_by_either_version() {
    let before: Registered = serde_json::from_str(&read("previous/registered")).unwrap();
    assert_eq!((before.protocol, before.account), (1, None));
}
