//! Single answers that are lost, repeated or late, by a worker that the test drives by hand.

use ffleet_protocol::{
    id::Token,
    log::Record,
    problem::Code,
    state::{JobStatus, TaskStatus},
    task::{Exit, Order, Output, PublishingRequest},
};
use ffleet_tests::{Fleet, SHORT_LEASES, job, stderr_text};

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_repeated_and_brings_the_same() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 4).await;
    for n in 0..3 {
        fleet.submit(&job(["-fake-say", &n.to_string()])).await;
    }
    let token = Token::new();
    let first = hand.claim_with(token, 2, 0).await.unwrap().unwrap();
    let again = hand.claim_with(token, 2, 0).await.unwrap().unwrap();
    assert_eq!(first.grants.len(), 2);
    let named = |answer: &ffleet_protocol::task::ClaimAnswer| {
        answer.grants.iter().map(|grant| (grant.task, grant.epoch, grant.token)).collect::<Vec<_>>()
    };
    assert_eq!(named(&first), named(&again));
    // The third one is still there for whoever asks anew.
    let other = hand.claim_with(Token::new(), 2, 0).await.unwrap().unwrap();
    assert_eq!(other.grants.len(), 1);
    assert!(hand.claim_with(Token::new(), 1, 0).await.unwrap().is_none());
    for grant in first.grants.into_iter().chain(other.grants) {
        let held = ffleet_tests::Held { grant };
        hand.accept(&held).await.unwrap();
        hand.finish(&held, 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_finish_that_is_repeated_is_answered_with_what_was_recorded() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    let id = fleet.submit(&job(["-fake-exit", "7"])).await;
    let held = hand.take().await;
    let first = hand.finish_with(&held, Exit::Code { code: 7 }, None, 0).await.unwrap();
    // Another word for the same attempt changes nothing any more.
    let again = hand.finish_with(&held, Exit::Code { code: 0 }, None, 0).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(again.outcome.unwrap().exit_code, Some(7));
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Failed);
}

#[tokio::test]
async fn accept_may_be_repeated_too() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.claim().await;
    assert_eq!(hand.accept(&held).await.unwrap().status, TaskStatus::Running);
    assert_eq!(hand.accept(&held).await.unwrap().status, TaskStatus::Running);
    hand.finish(&held, 0).await.unwrap();
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
}

#[tokio::test]
async fn records_are_taken_once_and_gaps_are_refused() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.take().await;
    assert_eq!(hand.log(&held, 1, &["one", "two"]).await.unwrap().next_seq, 3);
    assert_eq!(hand.log(&held, 1, &["one", "two"]).await.unwrap().next_seq, 3, "a repeated batch changes nothing");
    assert_eq!(hand.log(&held, 2, &["two", "three"]).await.unwrap().next_seq, 4, "only what is new is taken");
    let gap = hand.log(&held, 9, &["nine"]).await.unwrap_err();
    assert!(gap.is(Code::LogGap), "{gap}");
    assert_eq!(gap.problem().unwrap().next_seq, Some(4));
    let early = hand.finish(&held, 4).await.unwrap_err();
    assert!(early.is(Code::LogGap), "{early}");
    hand.log(&held, 4, &["four"]).await.unwrap();
    hand.finish(&held, 4).await.unwrap();
    let seen = fleet.wait(id).everything().await;
    assert_eq!(stderr_text(&seen), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_stranger_to_the_lease_is_told_so() {
    let fleet = Fleet::start().await;
    let (hand, other) = (fleet.hand("by-hand", 1).await, fleet.hand("other", 1).await);
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.take().await;
    let mut forged = held.clone();
    forged.grant.token = Token::new();
    let stranger = other.finish(&held, 0).await.unwrap_err();
    assert!(stranger.is(Code::NoSuchTask), "who was never given a task does not learn that it exists: {stranger}");
    let refusals = [
        hand.finish(&forged, 0).await.unwrap_err(),
        hand.log(&forged, 1, &["x"]).await.unwrap_err(),
        hand.accept(&forged).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert!(refusal.is(Code::StaleLease), "{refusal}");
    }
    assert_eq!(hand.beat(&[&forged]).await.unwrap().verdicts[0].order, Order::Lost);
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Running);
    hand.finish(&held, 0).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_the_worker_does_not_know_is_shown_to_it() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.claim().await;
    let answer = hand.beat(&[]).await.unwrap();
    assert_eq!(answer.unknown_to_you.len(), 1);
    assert_eq!(answer.unknown_to_you[0].task, held.task());
    hand.accept(&held).await.unwrap();
    hand.finish(&held, 0).await.unwrap();
}

#[tokio::test]
async fn too_late_to_cancel_what_is_being_published() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("by-hand", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.take().await;
    let lease = held.lease();
    let outputs = vec![Output { path: "$Media/out.mkv".into(), size: 1, sha256: "0".repeat(64) }];
    let (worker, incarnation) = (hand.id.clone(), hand.incarnation);
    let request = PublishingRequest { worker, incarnation, epoch: lease.epoch, token: lease.token, outputs };
    assert_eq!(fleet.farm().publishing(lease.task, &request).await.unwrap().status, TaskStatus::Publishing);
    let late = fleet.api().cancel(id).await.unwrap_err();
    assert!(late.is(Code::TooLate), "{late}");
    hand.finish(&held, 0).await.unwrap();
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
}

#[tokio::test]
async fn a_lease_lapses_and_its_worker_comes_back_in_time() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    let hand = fleet.hand("cut-off", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.take().await;
    hand.log(&held, 1, &["before"]).await.unwrap();
    // Not a word for a whole lease; nobody else is there to take the task.
    fleet.wait(id).until_attempt_ended(1).await;
    let view = fleet.job(id).await;
    assert_eq!((view.summary.status, view.tasks[0].crashes), (JobStatus::Pending, 1));

    assert_eq!(hand.beat(&[&held]).await.unwrap().verdicts[0].order, Order::Continue, "the same lease goes on");
    let view = fleet.job(id).await;
    assert_eq!((view.summary.status, view.tasks[0].epoch), (JobStatus::Running, 1));
    assert_eq!(view.tasks[0].crashes, 0, "a worker that was cut off did not crash");
    hand.log(&held, 2, &["after"]).await.unwrap();
    hand.finish(&held, 2).await.unwrap();
    let seen = fleet.wait(id).everything().await;
    assert_eq!(stderr_text(&seen), ["before", "after"]);
}

#[tokio::test]
async fn a_lease_lapses_and_its_worker_comes_back_too_late() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    let (late, heir) = (fleet.hand("late", 1).await, fleet.hand("heir", 1).await);
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let lost = late.take().await;
    late.log(&lost, 1, &["by the first"]).await.unwrap();
    fleet.wait(id).until_attempt_ended(1).await;
    let held = heir.take().await;
    assert_eq!(held.grant.epoch, 2);
    assert!(held.grant.rerun, "an earlier attempt may have begun the outputs");
    heir.log(&held, 1, &["by the second"]).await.unwrap();

    assert_eq!(late.beat(&[&lost]).await.unwrap().verdicts[0].order, Order::Lost);
    for refusal in [late.finish(&lost, 1).await.unwrap_err(), late.log(&lost, 2, &["x"]).await.unwrap_err()] {
        assert!(refusal.is(Code::StaleLease), "{refusal}");
    }
    heir.finish(&held, 1).await.unwrap();
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!((end.tasks[0].failures, end.tasks[0].crashes), (0, 1), "a lapse spends no retry");
    let seen = fleet.wait(id).everything().await;
    assert_eq!(stderr_text(&seen), ["by the first", "by the second"]);
}

#[tokio::test]
async fn what_is_not_accepted_in_time_goes_to_somebody_else() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    let (dawdler, other) = (fleet.hand("dawdler", 1).await, fleet.hand("other", 1).await);
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let dawdled = dawdler.claim().await;
    fleet.wait(id).until_attempt_ended(1).await;
    assert_eq!(fleet.job(id).await.tasks[0].rejections, 1);
    let refused = dawdler.accept(&dawdled).await.unwrap_err();
    assert!(refused.is(Code::StaleLease), "{refused}");
    let held = other.take().await;
    other.finish(&held, 0).await.unwrap();
    fleet.wait(id).until(JobStatus::Completed).await;
}

#[tokio::test]
async fn a_rejected_task_avoids_that_worker_and_remembers_why() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("picky", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.claim().await;
    hand.reject(&held, "the disk is full").await.unwrap();
    let view = fleet.job(id).await;
    assert_eq!((view.summary.status, view.tasks[0].rejections), (JobStatus::Pending, 1));
    assert_eq!(view.tasks[0].attempts[0].message.as_deref(), Some("the disk is full"));
    assert!(hand.claim_with(Token::new(), 1, 0).await.unwrap().is_none());
    let why = fleet.api().explain(id).await.unwrap();
    let reason = why.tasks[0].workers[0].reason.clone().unwrap_or_default();
    assert!(reason.contains("avoid") || reason.contains("keeps away") || reason.contains("until"), "{why:?}");
    fleet.api().cancel(id).await.unwrap();
}

#[tokio::test]
async fn a_newer_start_of_the_same_worker_supersedes_the_older_one() {
    let fleet = Fleet::start().await;
    let old = fleet.hand("twice", 1).await;
    let other = fleet.submit(&job(["-fake-say", "finished but not told"])).await;
    let told_later = old.take().await;
    let new = old.restarted(vec![told_later.lease()]).await;
    let refused = old.beat(&[&told_later]).await.unwrap_err();
    assert!(refused.is(Code::Superseded), "{refused}");
    // What the older start finished and could not tell, the newer one tells.
    new.finish(&told_later, 0).await.unwrap();
    let end = fleet.wait(other).until(JobStatus::Completed).await;
    assert_eq!(end.tasks[0].attempts.len(), 1);

    // What the older start had and the newer does not know of ends at once, long before its lease.
    let id = fleet.submit(&job(["-fake-hang"])).await;
    new.take().await;
    let heir = fleet.hand("heir", 1).await;
    let _newest = new.restarted(Vec::new()).await;
    let held = heir.take().await;
    assert_eq!(held.grant.epoch, 2);
    heir.finish(&held, 0).await.unwrap();
    fleet.wait(id).until(JobStatus::Completed).await;
}

#[tokio::test]
async fn lost_records_are_declared_and_the_hole_is_shown() {
    use ffleet_protocol::{
        Timestamp,
        log::{Data, DropReason, Dropped, FollowRecord},
        state::Stream,
    };
    let fleet = Fleet::start().await;
    let hand = fleet.hand("forgetful", 1).await;
    let id = fleet.submit(&job(["-fake-hang"])).await;
    let held = hand.take().await;
    hand.log(&held, 1, &["first"]).await.unwrap();
    let dropped = Dropped { to: 5, bytes: None, reason: DropReason::SpoolLost };
    let at = Timestamp::UNIX_EPOCH;
    let hole = Record { seq: 2, stream: Stream::Stderr, at, data: Data::Dropped(dropped.clone()), end: None };
    let endless = Dropped { to: u64::MAX, ..dropped.clone() };
    let refused = hand.append(&held, vec![Record { data: Data::Dropped(endless), ..hole.clone() }]).await.unwrap_err();
    assert!(refused.is(Code::BadField), "{refused}");
    assert_eq!(hand.append(&held, vec![hole]).await.unwrap().next_seq, 6);
    hand.finish(&held, 5).await.unwrap();
    let seen = fleet.wait(id).everything().await;
    let shown = seen.iter().find_map(|record| match record {
        FollowRecord::Output { record, .. } => match &record.data {
            Data::Dropped(dropped) => Some((record.seq, dropped.clone())),
            Data::Text(_) | Data::B64(_) => None,
        },
        _ => None,
    });
    assert_eq!(shown, Some((2, dropped)));
}

#[tokio::test]
async fn a_worker_is_not_held_up_by_tasks_that_avoid_it() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("unlucky", 1).await;
    // More than one page of the queue is full of tasks that this worker lost when it was started anew.
    for _ in 0..6 {
        fleet.submit(&job(["-fake-hang"])).await;
        hand.take().await;
    }
    let hand = hand.restarted(Vec::new()).await;
    let wanted = fleet.submit(&job(["-fake-say", "x"])).await;
    let held = hand.claim().await;
    assert_eq!(held.grant.job, wanted);
    hand.accept(&held).await.unwrap();
    hand.finish(&held, 0).await.unwrap();
    fleet.cancel_all().await;
}
