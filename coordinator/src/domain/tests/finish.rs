use ffleet_protocol::job::{AttemptEnd, RetryRule};

use super::*;
use crate::domain::{Counters, Wake};

fn running() -> Story {
    Story::begins().runs("box")
}

#[test]
fn a_good_end_completes() {
    let made = Finish { outputs: outputs(), ..code(0) };
    let story = running().finished(made);
    let TaskState::Completed { exit_code: 0, outputs: kept, .. } = &story.task.state else { panic!() };
    assert_eq!(*kept, outputs());
    assert_eq!(story.last.unwrap().wakes, [Wake::Followers]);
}

#[test]
fn what_was_announced_for_publishing_is_what_is_recorded() {
    let other = vec![Output { path: "$Media/other.mkv".into(), size: 1, sha256: "00".repeat(32) }];
    let story = running().published().finished(Finish { outputs: other, ..code(0) });
    let TaskState::Completed { outputs: kept, .. } = &story.task.state else { panic!() };
    assert_eq!(*kept, outputs());
}

#[test]
fn bad_ends_are_named_by_the_worker_or_by_how_the_program_ended() {
    let named = |exit, failure| Finish { failure, ..exits(exit) };
    let table = [
        (named(Exit::Code { code: 1 }, None), FailureClass::ExitCode, Some(1), None, "the program ended with code 1"),
        (
            named(Exit::Code { code: 1 }, Some(FailureClass::InputNotFound)),
            FailureClass::InputNotFound,
            Some(1),
            None,
            "the program ended with code 1 (input_not_found)",
        ),
        (
            named(Exit::Code { code: 0 }, Some(FailureClass::InputCorrupt)),
            FailureClass::InputCorrupt,
            Some(0),
            None,
            "the program ended with code 0 (input_corrupt)",
        ),
        (
            named(Exit::Signal { signal: 11 }, None),
            FailureClass::Signaled,
            None,
            Some(11),
            "the program was killed by signal 11",
        ),
        (
            named(Exit::TimedOut, Some(FailureClass::Network)),
            FailureClass::TimedOut,
            None,
            None,
            "it ran longer than its job allows and was stopped",
        ),
        (named(Exit::Stopped, None), FailureClass::WorkerError, None, None, "its worker could not go on with it"),
        (
            named(Exit::Stopped, Some(FailureClass::StdoutTooLarge)),
            FailureClass::StdoutTooLarge,
            None,
            None,
            "it was not finished (stdout_too_large)",
        ),
        (named(Exit::None, None), FailureClass::WorkerError, None, None, "its worker could not go on with it"),
        (
            named(Exit::None, Some(FailureClass::NotStarted)),
            FailureClass::NotStarted,
            None,
            None,
            "it was not finished (not_started)",
        ),
    ];
    for (end, failure, code, signal, message) in table {
        let story = running().with(|policy| policy.retry.on.clear()).finished(end);
        let TaskState::Failed { exit_code, signal: by, .. } = &story.task.state else { panic!() };
        assert_eq!((*exit_code, *by, story.failure()), (code, signal, (failure, message.to_owned())));
        assert_eq!(story.task.counters.failures, 1);
    }
}

#[test]
fn a_transient_failure_is_tried_three_more_times_with_growing_waits() {
    let mut story = Story::begins();
    for wait in [10, 20, 40] {
        story = story.runs("box").finished(fails(FailureClass::DiskFull));
        assert_eq!((story.word(), story.not_before()), ("retry", Some(wait)));
        story = story.after(wait);
    }
    let story = story.runs("box").finished(fails(FailureClass::DiskFull));
    assert_eq!(story.failure().0, FailureClass::DiskFull);
    assert_eq!((story.task.epoch, story.task.counters.failures), (4, 4));
}

#[test]
fn an_end_that_no_rule_names_is_final() {
    assert_eq!(running().finished(code(1)).failure().0, FailureClass::ExitCode);
    let lenient = running().with(|policy| policy.retry.on = vec![RetryRule::ExitCode(1)]);
    assert_eq!(lenient.clone().finished(code(1)).status(), TaskStatus::Pending);
    assert_eq!(lenient.finished(code(2)).status(), TaskStatus::Failed);
}

#[test]
fn waiting_for_an_encoder_session_burns_no_try() {
    let mut story = Story::begins().with(|policy| policy.retry.retries = 1);
    for _ in 0..10 {
        story = story.runs("gpu").finished(fails(FailureClass::EncoderSessionLimit));
        assert_eq!(story.not_before(), Some(10));
        assert!(story.task.avoids(&worker("gpu"), at(story.now)).is_some(), "its sessions are in use by others");
        assert_eq!(story.task.counters, Counters::default());
        story = story.after(60);
    }
    let stubborn = running().with(|policy| policy.retry.on.clear());
    assert_eq!(stubborn.finished(fails(FailureClass::EncoderSessionLimit)).status(), TaskStatus::Failed);
}

#[test]
fn a_task_that_is_handed_back_waits_for_nobody_and_spends_nothing() {
    let story = running().finished(exits(Exit::HandedBack));
    assert_eq!((story.not_before(), story.task.epoch), (None, 1));
    assert_eq!((story.task.counters, story.task.avoid.len()), (Counters::default(), 0));
    assert_eq!(story.last.as_ref().unwrap().wakes, [Wake::Queue, Wake::Followers]);
    assert_eq!(story.task.state.holder(), None, "it was given up, there is nothing to resume");
    assert_eq!(story.claimed("heir").task.epoch, 2);
}

#[test]
fn delivered_output_rules_out_another_try() {
    let mut story = running();
    story.task.stdout_taken = true;
    assert_eq!(story.clone().finished(fails(FailureClass::Network)).failure().0, FailureClass::Network);
    assert_eq!(
        story.clone().finished(fails(FailureClass::EncoderSessionLimit)).failure().0,
        FailureClass::EncoderSessionLimit
    );
    let handed_back = story.clone().finished(exits(Exit::HandedBack));
    assert_eq!(handed_back.failure().0, FailureClass::OutputInterrupted);
    assert_eq!(story.clone().finished(code(0)).status(), TaskStatus::Completed);

    let rerun = story.with(|policy| policy.rerun_stdout = true);
    assert_eq!(rerun.clone().finished(fails(FailureClass::Network)).status(), TaskStatus::Pending);
    assert_eq!(rerun.finished(exits(Exit::HandedBack)).status(), TaskStatus::Pending);
}

#[test]
fn a_good_end_with_lost_output_is_not_good() {
    let mut story = running();
    story.task.stdout_lost = true;
    let failed = story.clone().finished(code(0));
    assert_eq!(failed.failure().0, FailureClass::StdoutLost);
    assert_eq!(story.finished(code(1)).failure().0, FailureClass::ExitCode, "a bad end keeps its own name");
}

#[test]
fn whatever_the_end_a_canceled_task_is_canceled() {
    for end in [code(0), code(255), fails(FailureClass::Network), exits(Exit::Stopped), exits(Exit::HandedBack)] {
        let expected = match end.exit {
            Exit::Code { code } => Some(code),
            Exit::Signal { .. } | Exit::Stopped | Exit::TimedOut | Exit::HandedBack | Exit::None => None,
        };
        let story = running().canceled().finished(end);
        let TaskState::Canceled { by, exit_code, .. } = &story.task.state else { panic!("{:?}", story.task.state) };
        assert_eq!((by.as_str(), *exit_code), ("ann", expected));
        assert!(matches!(story.attempt(), Some(AttemptChange::Ended { end: AttemptEnd::Canceled, .. })));
        assert_eq!(story.task.counters, Counters::default());
    }
}

#[test]
fn a_repeated_finish_is_known_as_one_wherever_the_task_went() {
    for end in [code(0), code(1), fails(FailureClass::Network), exits(Exit::HandedBack)] {
        let story = running();
        let again = Event::Finished { quote: quote(&story.task), end: end.clone() };
        let story = story.finished(end);
        assert_eq!(story.ask(&again), Err(Refusal::AlreadyRecorded));
        if story.status() == TaskStatus::Pending {
            let claimed = story.after(300).claimed("heir");
            assert_eq!(claimed.ask(&again), Err(Refusal::AlreadyRecorded));
        }
    }
}

#[test]
fn the_end_of_an_attempt_that_was_lost_for_good_is_stale() {
    let story = Story::begins().runs("a").lapsed().runs("b").lapsed().runs("c");
    let late = Event::Finished { quote: quote(&story.task), end: code(0) };
    let story = story.lapsed();
    assert_eq!(story.failure().0, FailureClass::Poison);
    assert_eq!(story.ask(&late), Err(Refusal::StaleLease));
}

#[test]
fn a_failed_publication_is_tried_again_with_its_hashes() {
    let story = running().published().finished(fails(FailureClass::DiskFull));
    assert_eq!((story.status(), story.task.kept), (TaskStatus::Pending, outputs()));
}

#[test]
fn the_workers_own_words_are_kept() {
    let end = Finish { message: "ffmpeg: no space left on $Media".to_owned(), ..fails(FailureClass::DiskFull) };
    let story = running().with(|policy| policy.retry.retries = 0).finished(end);
    assert_eq!(story.failure().1, "ffmpeg: no space left on $Media");
    assert_eq!(story.task.state.outcome().unwrap().message, "ffmpeg: no space left on $Media");
}
