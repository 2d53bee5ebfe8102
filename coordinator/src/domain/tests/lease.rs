use ffleet_protocol::job::AttemptEnd;

use super::*;
use crate::domain::{Counters, Wake};

#[test]
fn a_heartbeat_renews_what_runs_and_does_not_extend_an_assignment() {
    let assigned = Story::begins().claimed("box").after(5);
    let next = assigned.ask(&Event::Renewed { quote: quote(&assigned.task) }).unwrap();
    assert_eq!(next.task, assigned.task);
    assert!(!next.is_recorded());

    for story in
        [Story::begins().runs("box"), Story::begins().runs("box").published(), Story::begins().runs("box").canceled()]
    {
        let status = story.status();
        let quote = quote(&story.task);
        let story = story.after(20).takes(&Event::Renewed { quote });
        assert_eq!((story.status(), story.lease().until), (status, at(20 + 35)));
        assert_eq!(story.attempt(), None);
    }
}

#[test]
fn a_lapse_spends_no_retry_and_lets_others_begin_at_once() {
    let story = Story::begins().runs("box").lapsed();
    assert_eq!(story.now, 35);
    assert_eq!(story.not_before(), None);
    assert_eq!(story.task.counters, Counters { failures: 0, crashes: 1, rejections: 0 });
    assert_eq!(story.task.epoch, 1);
    assert_eq!(story.last.as_ref().unwrap().wakes, [Wake::Queue, Wake::Followers]);
    assert!(matches!(
        story.attempt(),
        Some(AttemptChange::Ended { end: AttemptEnd::Lapsed, failure: Some(FailureClass::LeaseLapsed), .. })
    ));
    assert_eq!(story.ask(&Event::Claimed { holder: holder("box") }), Err(Refusal::Avoided { until: at(35 + 60) }));
    assert_eq!(story.claimed("heir").task.epoch, 2);
}

#[test]
fn three_crashes_make_it_poison() {
    let story = Story::begins().runs("a").lapsed().runs("b").lapsed().runs("c").lapsed();
    let (failure, message) = story.failure();
    assert_eq!(failure, FailureClass::Poison);
    assert_eq!(message, "its worker was lost 3 times, the last one was c; not tried again");
}

#[test]
fn who_has_seen_standard_output_does_not_see_it_twice() {
    let mut story = Story::begins().runs("box");
    story.task.stdout_taken = true;
    assert_eq!(story.clone().lapsed().failure().0, FailureClass::OutputInterrupted);
    assert_eq!(story.clone().published().lapsed().failure().0, FailureClass::OutputInterrupted);
    let rerun = story.with(|policy| policy.rerun_stdout = true).lapsed();
    assert_eq!(rerun.status(), TaskStatus::Pending);
}

#[test]
fn hashes_are_kept_when_publishing_is_interrupted() {
    let story = Story::begins().runs("box").published().lapsed();
    assert_eq!(story.task.kept, outputs());
    let story = story.runs("heir");
    assert_eq!(story.task.kept, outputs(), "the next attempt may adopt what is there");
    assert_eq!(story.published().task.kept, []);
}

#[test]
fn a_worker_that_was_only_cut_off_goes_on_as_if_nothing_had_been() {
    let story = Story::begins().runs("box");
    let before = story.task.clone();
    let said = quote(&story.task);
    let story = story.lapsed().after(3).takes(&Event::Renewed { quote: said });
    assert_eq!((story.word(), story.attempt()), ("resumed", Some(AttemptChange::Reopened)));
    assert_eq!(story.lease().until, at(38 + 35));
    let same = Task { state: before.state.clone(), ..story.task };
    assert_eq!(same, before, "counters, epoch and avoided workers are as they were");
}

#[test]
fn nobody_resumes_what_another_has_claimed() {
    let story = Story::begins().runs("box");
    let said = quote(&story.task);
    let story = story.lapsed().claimed("heir");
    for event in [
        Event::Renewed { quote: said.clone() },
        Event::Published { quote: said.clone(), outputs: outputs() },
        Event::Finished { quote: said.clone(), end: code(0) },
    ] {
        assert_eq!(story.ask(&event), Err(Refusal::StaleLease));
    }
    assert_eq!(story.task.takes_output(&said), Err(Refusal::StaleLease));
}

#[test]
fn who_comes_back_with_a_finish_has_finished() {
    let story = Story::begins().runs("box").lapsed().after(20).finished(Finish { outputs: outputs(), ..code(0) });
    assert_eq!(story.status(), TaskStatus::Completed);
    assert_eq!(story.task.counters, Counters::default());
    assert!(matches!(story.attempt(), Some(AttemptChange::Ended { end: AttemptEnd::Completed, .. })));

    let story = Story::begins().runs("box").lapsed().after(20).finished(fails(FailureClass::Network));
    assert_eq!(story.task.counters, Counters { failures: 1, crashes: 0, rejections: 0 });
    assert_eq!(story.task.avoid, []);
}

#[test]
fn who_comes_back_ready_to_publish_publishes() {
    let story = Story::begins().runs("box").lapsed().after(20).published();
    assert_eq!((story.status(), story.attempt()), (TaskStatus::Publishing, Some(AttemptChange::Reopened)));
    assert_eq!(story.task.counters, Counters::default());
}

#[test]
fn a_cancel_whose_worker_is_lost_is_forced() {
    let story = Story::begins().runs("box").canceled().lapsed();
    let TaskState::Canceled { by, reason, exit_code, .. } = &story.task.state else { panic!("{:?}", story.task.state) };
    assert_eq!((by.as_str(), *reason, *exit_code), ("ann", CancelReason::Requested, None));
    assert_eq!(story.task.counters, Counters::default(), "that the worker was lost is no fault of the task");
    assert_eq!(story.word(), "cancel_forced");
}

#[test]
fn a_cancel_while_nobody_holds_it_is_final_even_for_a_worker_that_comes_back() {
    let story = Story::begins().runs("box");
    let said = quote(&story.task);
    let story = story.lapsed().canceled();
    assert_eq!(story.ask(&Event::Renewed { quote: said.clone() }), Err(Refusal::StaleLease));
    assert_eq!(story.ask(&Event::Finished { quote: said, end: code(0) }), Err(Refusal::StaleLease));
}
