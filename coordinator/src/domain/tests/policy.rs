use ffleet_protocol::job::{RetryPolicy, RetryRule};

use super::*;
use crate::domain::policy::{BACKOFF_MAX, BadEnd, REJECTION_BASE, RETRY_BASE, backoff, later, retry_after};

#[test]
fn waits_double_up_to_five_minutes() {
    let waits = |base| (0..9).map(|n| backoff(base, n, BACKOFF_MAX).as_secs()).collect::<Vec<_>>();
    assert_eq!(waits(REJECTION_BASE), [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!(waits(RETRY_BASE), [10, 20, 40, 80, 160, 300, 300, 300, 300]);
    for n in [30, 31, 32, 63, 64, u32::MAX] {
        assert_eq!(backoff(RETRY_BASE, n, BACKOFF_MAX), BACKOFF_MAX);
    }
}

#[test]
fn each_rule_covers_what_it_names() {
    let end =
        BadEnd { failure: FailureClass::Network, exit_code: Some(8), signal: Some(9), tail: "Connection refused" };
    let quiet = BadEnd { failure: FailureClass::ExitCode, exit_code: Some(1), signal: None, tail: "" };
    let table = [
        (RetryRule::Transient, true, false),
        (RetryRule::Any, true, true),
        (RetryRule::Class(FailureClass::Network), true, false),
        (RetryRule::Class(FailureClass::ExitCode), false, true),
        (RetryRule::ExitCode(8), true, false),
        (RetryRule::Signal(9), true, false),
        (RetryRule::LogContains("refused".to_owned()), true, false),
    ];
    for (rule, first, second) in table {
        let retry = RetryPolicy { retries: 1, on: vec![rule.clone()] };
        let covered = (retry_after(&retry, 0, &end).is_some(), retry_after(&retry, 0, &quiet).is_some());
        assert_eq!(covered, (first, second), "{rule:?}");
    }
}

#[test]
fn any_one_rule_suffices_and_no_rule_is_never() {
    let end = BadEnd { failure: FailureClass::ExitCode, exit_code: Some(1), signal: None, tail: "" };
    let on = vec![RetryRule::Transient, RetryRule::ExitCode(1)];
    assert_eq!(retry_after(&RetryPolicy { retries: 3, on }, 0, &end), Some(RETRY_BASE));
    assert_eq!(retry_after(&RetryPolicy { retries: 3, on: Vec::new() }, 0, &end), None);
    assert_eq!(retry_after(&RetryPolicy { retries: 0, on: vec![RetryRule::Any] }, 0, &end), None);
}

#[test]
fn a_job_overrules_the_defaults_where_it_may() {
    let spec = |json| serde_json::from_str(json).unwrap();
    let of = |json| Policy::for_job(&Defaults::default(), &spec(json));
    assert_eq!(of(r#"{"args":[]}"#).lease_s, 35);
    assert_eq!(of(r#"{"args":[],"lease_s":120}"#).lease_s, 120);
    assert_eq!(of(r#"{"args":[],"lease_s":900000}"#).lease_s, 24 * 3600);
    assert_eq!(of(r#"{"args":[],"lease_s":0}"#).lease_s, 1);
    assert!(of(r#"{"args":[],"rerun_stdout":true}"#).rerun_stdout);
    assert_eq!(of(r#"{"args":[],"retry":{"retries":9}}"#).retry.retries, 9);
}

#[test]
fn a_policy_is_read_as_it_was_written() {
    let policy = policy();
    assert_eq!(serde_json::from_str::<Policy>(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
}

#[test]
fn time_does_not_run_past_its_end() {
    assert_eq!(later(Timestamp::MAX, RETRY_BASE), Timestamp::MAX);
    assert_eq!(later(at(0), RETRY_BASE), at(10));
}
