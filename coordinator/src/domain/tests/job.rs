use ffleet_protocol::state::JobStatus;

use super::*;
use crate::domain::{outcome_of, status_of};

/// Words as `TaskStatus` writes them, and the fold over them.
const FOLDS: &str = "
blocked                        pending
pending                        pending
assigned                       assigned
running                        running
publishing                     running
canceling                      canceling
completed                      completed
failed                         failed
canceled                       canceled
completed completed            completed
completed failed canceled      failed
completed canceled             canceled
completed pending              pending
completed blocked              pending
blocked assigned               assigned
assigned running               running
pending publishing             running
running canceling              canceling
completed canceling            canceling
failed canceling               canceling
failed running                 canceling
failed publishing pending      canceling
failed assigned                assigned
failed pending                 pending
failed blocked                 pending
canceled running               running
canceled pending               pending
";

#[test]
fn the_status_of_a_job_is_a_fold_over_its_tasks() {
    for line in FOLDS.trim().lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let expected: JobStatus = words.pop().unwrap().parse().unwrap();
        let tasks: Vec<TaskStatus> = words.iter().map(|word| word.parse().unwrap()).collect();
        assert_eq!(status_of(tasks.iter().copied()), expected, "{line}");
        assert_eq!(status_of(tasks.iter().rev().copied()), expected, "{line}, backwards");
    }
}

#[test]
fn the_fold_is_terminal_exactly_when_every_task_is() {
    let all = TaskStatus::ALL;
    for a in all {
        for b in all {
            for c in all {
                let tasks = [*a, *b, *c];
                let over = tasks.iter().all(|task| task.is_terminal());
                assert_eq!(status_of(tasks).is_terminal(), over, "{tasks:?}");
            }
        }
    }
    assert_eq!(status_of([]), JobStatus::Pending);
}

fn failed(failure: FailureClass, message: &str) -> TaskState {
    TaskState::Failed { holder: None, failure, exit_code: Some(1), signal: None, message: message.to_owned() }
}

fn canceled(reason: CancelReason) -> TaskState {
    TaskState::Canceled { holder: None, by: "ann".to_owned(), reason, exit_code: None }
}

fn completed() -> TaskState {
    TaskState::Completed { holder: holder("box"), exit_code: 0, outputs: Vec::new() }
}

#[test]
fn the_outcome_speaks_for_the_task_that_mattered() {
    let dependency = failed(FailureClass::DependencyFailed, "task a failed");
    let cause = failed(FailureClass::InputCorrupt, "bad input");
    let sibling = canceled(CancelReason::SiblingFailed);
    let message = |tasks: &[TaskState]| outcome_of(tasks).map(|outcome| outcome.message);

    assert_eq!(message(&[completed(), dependency.clone(), sibling, cause]), Some("bad input".to_owned()));
    assert_eq!(message(&[completed(), dependency]), Some("task a failed".to_owned()));
    let gone = canceled(CancelReason::ClientGone);
    let gone_message = "canceled because the client that monitors it went silent";
    assert_eq!(message(&[gone, completed()]), Some(gone_message.to_owned()));
    assert_eq!(message(&[canceled(CancelReason::Requested)]), Some("canceled by ann".to_owned()));
    assert_eq!(message(&[completed(), completed()]), Some("completed".to_owned()));
    assert_eq!(message(&[completed(), TaskState::Blocked]), None);
    assert_eq!(message(&[]), None);
}

#[test]
fn outcome_and_status_agree() {
    let ends =
        [completed(), failed(FailureClass::ExitCode, "x"), canceled(CancelReason::Requested), TaskState::Blocked];
    for a in &ends {
        for b in &ends {
            let status = status_of([a.status(), b.status()]);
            let outcome = outcome_of([a, b]);
            assert_eq!(outcome.as_ref().map(|outcome| outcome.status), Some(status).filter(|s| s.is_terminal()));
        }
    }
}

#[test]
fn an_outcome_carries_the_facts() {
    let outcome = failed(FailureClass::Signaled, "killed").outcome().unwrap();
    assert_eq!((outcome.failure, outcome.exit_code, outcome.canceled), (Some(FailureClass::Signaled), Some(1), None));
    let outcome = canceled(CancelReason::Requested).outcome().unwrap();
    assert_eq!((outcome.failure, outcome.canceled), (None, Some(CancelReason::Requested)));
    assert_eq!(completed().outcome().unwrap().exit_code, Some(0));
}
