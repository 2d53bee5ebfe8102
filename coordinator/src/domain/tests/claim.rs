use ffleet_protocol::job::AttemptEnd;

use super::*;
use crate::domain::{LastReport, ReportKind, Wake, policy::REASONS_KEPT};

#[test]
fn a_claim_begins_a_new_epoch_with_a_short_lease() {
    let mut story = Story::begins();
    story.task.next_seq = 40;
    story.task.stdout_lost = true;
    let story = story.claimed("box");
    assert_eq!((story.task.epoch, story.task.next_seq, story.task.stdout_lost), (1, 1, false));
    assert_eq!(story.lease().until, at(10));
    assert_eq!(story.attempt(), Some(AttemptChange::Claimed));
    assert!(!story.task.ran);

    let story = story.after(9).accepted();
    assert_eq!(story.lease().until, at(9 + 35));
    assert_eq!(story.attempt(), Some(AttemptChange::Started));
    assert!(story.task.ran);
}

#[test]
fn a_job_may_ask_for_a_longer_lease() {
    let story = Story::begins().with(|policy| policy.lease_s = 3600).runs("box");
    assert_eq!(story.lease().until, at(3600));
}

#[test]
fn a_rejected_task_waits_longer_each_time_and_keeps_away_from_who_rejected_it() {
    let mut story = Story::begins();
    for (round, wait) in [5, 10, 20, 40, 80, 160, 300, 300].into_iter().enumerate() {
        story = story.claimed(&format!("box{round}")).rejected("no space left");
        assert_eq!(story.not_before(), Some(wait));
        let same = Event::Claimed { holder: holder(&format!("box{round}")) };
        assert_eq!(story.clone().after(wait).ask(&same).is_ok(), wait >= 60, "avoided for 60 s");
        assert_eq!(story.ask(&same), Err(Refusal::NotBefore { until: at(story.now + wait) }));
        story = story.after(wait);
    }
    assert_eq!(story.task.counters.rejections, 8);
    assert_eq!(story.task.rejected_because.len(), REASONS_KEPT);
    assert_eq!(story.task.rejected_because.last().unwrap(), "box7: no space left");
}

#[test]
fn an_avoided_worker_is_told_until_when() {
    let story = Story::begins().claimed("box").rejected("busy").after(5);
    let again = Event::Claimed { holder: holder("box") };
    assert_eq!(story.ask(&again), Err(Refusal::Avoided { until: at(60) }));
    assert!(story.clone().after(54).ask(&again).is_err());
    assert!(story.clone().after(55).ask(&again).is_ok());
    assert_eq!(story.task.avoids(&worker("other"), at(5)), None);
}

#[test]
fn a_claim_forgets_whom_it_need_not_avoid_any_more() {
    let story = Story::begins().claimed("box").rejected("busy").after(100).claimed("other");
    assert_eq!(story.task.avoid, []);
}

#[test]
fn twenty_rejections_in_a_row_make_it_unplaceable_and_say_why() {
    let mut story = Story::begins();
    for round in 1..20 {
        story = story.claimed(if round % 2 == 0 { "even" } else { "odd" }).rejected("Media is not mounted").after(301);
        assert_eq!(story.status(), TaskStatus::Pending);
    }
    let story = story.claimed("last").rejected("no space left");
    let (failure, message) = story.failure();
    assert_eq!(failure, FailureClass::Unplaceable);
    assert_eq!(
        message,
        "no worker began it in 20 tries: even: Media is not mounted; odd: Media is not mounted; last: no space left"
    );
}

#[test]
fn only_rejections_in_a_row_count() {
    let story = Story::begins().claimed("box").rejected("busy").after(301).runs("other");
    assert_eq!((story.task.counters.rejections, story.task.rejected_because.len()), (0, 0));
}

#[test]
fn an_assignment_that_is_not_answered_counts_as_a_rejection() {
    let story = Story::begins().claimed("box").lapsed();
    assert_eq!(story.now, 10);
    assert_eq!(story.not_before(), Some(5));
    assert_eq!(story.task.counters, crate::domain::Counters { failures: 0, crashes: 0, rejections: 1 });
    assert_eq!(story.task.rejected_because, ["box: did not answer in time"]);
    assert_eq!(story.word(), "assignment_timeout");
    assert!(matches!(story.attempt(), Some(AttemptChange::Ended { end: AttemptEnd::Rejected, .. })));
}

#[test]
fn an_assignment_whose_worker_is_gone_counts_as_a_crash() {
    let story = Story::begins().claimed("box").after(10).takes(&Event::LeaseLapsed { lapse: Lapse::OverAndGone });
    assert_eq!(story.not_before(), None);
    assert_eq!(story.task.counters, crate::domain::Counters { failures: 0, crashes: 1, rejections: 0 });
    assert_eq!(story.task.state.holder(), None, "it had not accepted, so there is nothing to resume");
}

#[test]
fn the_repetition_of_a_rejection_is_known_as_one_even_after_the_next_claim() {
    let story = Story::begins().claimed("box");
    let said = quote(&story.task);
    let again = Event::Rejected { quote: said.clone(), reason: "busy".to_owned() };
    let story = story.rejected("busy");
    let kind = ReportKind::Rejected;
    assert_eq!(story.task.last_report, Some(LastReport { epoch: 1, token: said.token, kind }));
    assert_eq!(story.ask(&again), Err(Refusal::AlreadyRecorded));
    let story = story.after(5).runs("other");
    assert_eq!(story.ask(&again), Err(Refusal::AlreadyRecorded));
    assert_eq!(story.ask(&Event::Finished { quote: said, end: code(0) }), Err(Refusal::StaleLease));
}

#[test]
fn a_canceled_assignment_is_over_at_once_and_its_worker_is_told() {
    let story = Story::begins().claimed("box");
    let accept = Event::Accepted { quote: quote(&story.task) };
    let story = story.canceled();
    assert_eq!(story.status(), TaskStatus::Canceled);
    assert_eq!(story.ask(&accept), Err(Refusal::StaleLease));
    assert!(story.last.unwrap().wakes.contains(&Wake::Worker(worker("box"))));
}

#[test]
fn the_queue_timeout_is_over_once_a_worker_has_accepted() {
    let waiting = Story::begins().claimed("box").rejected("busy").after(5);
    let (failure, message) = waiting.takes(&Event::QueueTimedOut).failure();
    assert_eq!(failure, FailureClass::QueueTimeout);
    assert!(message.ends_with("the last answer: box: busy"), "{message}");

    let ran = Story::begins().runs("box").lapsed();
    let wrong = Refusal::WrongState { status: TaskStatus::Pending };
    assert_eq!(ran.ask(&Event::QueueTimedOut), Err(wrong));
}

#[test]
fn what_can_be_claimed_now_is_ripe() {
    let story = Story::begins();
    assert!(story.task.is_ripe(at(0)));
    assert!(!Task::new(TaskId::new(), true).is_ripe(at(0)));
    let story = story.claimed("box");
    assert!(!story.task.is_ripe(at(0)));
    let story = story.rejected("busy");
    assert!(!story.task.is_ripe(at(4)));
    assert!(story.task.is_ripe(at(5)));
}
