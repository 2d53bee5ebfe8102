//! A history that is right, and for each rule one that breaks it: a check that cannot fail proves nothing.

use super::*;

const WORKER: &str = "w";

/// A history of one job with one task, told as `what from to` words; a claim raises the epoch.
struct Story(History);

impl Story {
    fn new(events: &[(&str, &str, &str)]) -> Self {
        let (job, task) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut story = Self(History::default());
        let mut epoch = 0;
        for (at, (from, what, to)) in (100_i64..).step_by(10).zip(events) {
            if *what == "claimed" {
                epoch += 1;
            }
            let id = Uuid::from_u128(u128::try_from(at).unwrap());
            let from = Some((*from).to_owned()).filter(|from| from != "new");
            let worker = (epoch > 0).then(|| WORKER.to_owned());
            let (to, what) = ((*to).to_owned(), (*what).to_owned());
            story.tell(&what, epoch, at, from.as_deref());
            story.0.events.push(Event { id, task, epoch, from, to, what, worker, at });
        }
        let state = story.0.events.last().unwrap().to.clone();
        let token = (epoch > 0).then(|| token(epoch));
        let worker = machine::is_leased(&state).then(|| WORKER.to_owned());
        let ended = machine::is_terminal(&state);
        story.0.jobs.push(Job {
            id: job,
            status: state.clone(),
            outcome: ended.then(|| state.clone()),
            failure: None,
            ended_at: ended.then_some(900),
            retry_of: None,
            labels: Vec::new(),
        });
        let row = Task { id: task, job, state, epoch, worker, token, output_epoch: epoch, next_seq: 1, kept_bytes: 0 };
        story.0.tasks.push(row);
        story.0.keys.push(Key { account: "a".to_owned(), key: "k".to_owned(), job });
        story
    }

    /// What an event does to the record of its attempt.
    fn tell(&mut self, what: &str, epoch: i64, at: i64, from: Option<&str>) {
        let task = Uuid::from_u128(2);
        if what == "claimed" {
            let (worker, token) = (WORKER.to_owned(), token(epoch));
            let (claimed_at, started_at, ended_at, end) = (at, None, None, None);
            self.0.attempts.push(Attempt { task, epoch, worker, token, claimed_at, started_at, ended_at, end });
        }
        let Some(attempt) = self.0.attempts.last_mut() else { return };
        let end = match what {
            "accepted" => {
                attempt.started_at = Some(at);
                return;
            }
            "resumed" => None,
            "completed" => Some("completed"),
            "failed" | "retry" => Some("failed"),
            "rejected" => Some("rejected"),
            "lease_lapsed" | "cancel_forced" => Some("lapsed"),
            "canceled" if from != Some("pending") => Some("canceled"),
            _ => return,
        };
        attempt.end = end.map(str::to_owned);
        attempt.ended_at = end.map(|_| at);
    }

    /// Adds output: the batches of an epoch, by their first and last numbers.
    fn output(mut self, epoch: i64, batches: &[(i64, i64)]) -> Self {
        let task = Uuid::from_u128(2);
        for (batch_first, batch_last) in batches.iter().copied() {
            let records = (batch_first..=batch_last).map(|n| Span { first: n, last: n }).collect();
            let stream = "stderr".to_owned();
            self.0.chunks.push(Chunk { task, epoch, stream, batch_first, batch_last, thinned: false, records });
            if epoch == self.0.tasks[0].epoch {
                self.0.tasks[0].next_seq = batch_last + 1;
            }
        }
        self
    }

    fn with(mut self, change: impl FnOnce(&mut History)) -> Self {
        change(&mut self.0);
        self
    }

    #[track_caller]
    fn is_right(&self) {
        assert_eq!(check(&self.0), []);
    }

    #[track_caller]
    fn breaks(&self, invariant: Invariant, words: &str) {
        let found = check_ended(&self.0);
        let hit = found.iter().any(|found| found.invariant == invariant && found.what.contains(words));
        assert!(hit, "no {invariant} with {words:?} in {found:#?}");
    }
}

fn token(epoch: i64) -> Uuid {
    Uuid::from_u128(0x1000 + u128::try_from(epoch).unwrap())
}

const MADE: (&str, &str, &str) = ("new", "submitted", "pending");
const CLAIMED: (&str, &str, &str) = ("pending", "claimed", "assigned");
const ACCEPTED: (&str, &str, &str) = ("assigned", "accepted", "running");
const LAPSED: (&str, &str, &str) = ("running", "lease_lapsed", "pending");
const RESUMED: (&str, &str, &str) = ("pending", "resumed", "running");
const COMPLETED: (&str, &str, &str) = ("running", "completed", "completed");

fn plain() -> Story {
    Story::new(&[MADE, CLAIMED, ACCEPTED, COMPLETED]).output(1, &[(1, 3), (4, 4)])
}

fn two_attempts() -> Story {
    Story::new(&[MADE, CLAIMED, ACCEPTED, LAPSED, CLAIMED, ACCEPTED, COMPLETED])
        .output(1, &[(1, 2)])
        .output(2, &[(1, 5)])
}

#[test]
fn lives_as_they_should_be_are_right() {
    plain().is_right();
    two_attempts().is_right();
    assert_eq!(check_ended(&two_attempts().0), []);
    Story::new(&[MADE]).is_right();
    Story::new(&[MADE, ("pending", "canceled", "canceled")]).is_right();
    Story::new(&[("new", "submitted", "blocked"), ("blocked", "dependency_failed", "failed")]).is_right();
    Story::new(&[MADE, CLAIMED, ACCEPTED, LAPSED, RESUMED, COMPLETED]).is_right();
    Story::new(&[MADE, CLAIMED, ACCEPTED, LAPSED, ("pending", "completed", "completed")]).is_right();
    Story::new(&[MADE, CLAIMED, ("assigned", "rejected", "pending"), CLAIMED, ACCEPTED]).is_right();
    let stopped = ("running", "cancel_requested", "canceling");
    Story::new(&[MADE, CLAIMED, ACCEPTED, stopped, ("canceling", "canceled", "canceled")]).is_right();
    Story::new(&[MADE, CLAIMED, ACCEPTED, stopped, ("canceling", "cancel_forced", "canceled")]).is_right();
}

#[test]
fn i1_an_end_is_an_end_and_everything_ends() {
    Story::new(&[MADE, CLAIMED, ACCEPTED]).breaks(Invariant::I1, "never ended");
    Story::new(&[MADE, CLAIMED, ACCEPTED, COMPLETED, ("completed", "canceled", "canceled")])
        .breaks(Invariant::I1, "after it had ended");
    plain().with(|history| history.jobs[0].outcome = None).breaks(Invariant::I1, "with the outcome");
    plain().with(|history| history.jobs[0].outcome = Some("failed".into())).breaks(Invariant::I1, "its outcome says");
}

#[test]
fn i2_one_attempt_wins() {
    two_attempts()
        .with(|history| history.attempts[0].end = Some("completed".into()))
        .breaks(Invariant::I2, "its winners are the attempts [1, 2]");
    plain().with(|history| history.attempts[0].end = Some("failed".into())).breaks(Invariant::I2, "attempts []");
}

#[test]
fn i3_epochs_count_from_one() {
    two_attempts().with(|history| drop(history.attempts.remove(0))).breaks(Invariant::I3, "attempt 1 is missing");
    plain().with(|history| drop(history.attempts.remove(0))).breaks(Invariant::I3, "claimed and is not recorded");
    two_attempts().with(|history| history.events[6].epoch = 1).breaks(Invariant::I3, "expected 2");
    plain().with(|history| history.tasks[0].epoch = 2).breaks(Invariant::I3, "its row says epoch 2");
    two_attempts().with(|history| history.tasks[0].output_epoch = 1).breaks(Invariant::I3, "takes output of epoch 1");
    plain().with(|history| history.chunks[0].epoch = 9).breaks(Invariant::I3, "output of epoch 9");
    two_attempts().with(|history| history.tasks[0].token = Some(token(1))).breaks(Invariant::I3, "was claimed with");
}

#[test]
fn i4_only_what_the_table_has_is_legal() {
    Story::new(&[MADE, CLAIMED, ("assigned", "completed", "completed")]).breaks(Invariant::I4, "no legal transition");
    Story::new(&[MADE, CLAIMED, ACCEPTED, ("running", "vanished", "failed")]).breaks(Invariant::I4, "no legal");
    Story::new(&[MADE, CLAIMED, ACCEPTED, ("pending", "canceled", "canceled")])
        .breaks(Invariant::I4, "although it was");
    Story::new(&[MADE, RESUMED]).breaks(Invariant::I4, "not legal here");
    let again = [MADE, CLAIMED, ACCEPTED, ("running", "handed_back", "pending"), RESUMED];
    Story::new(&again).breaks(Invariant::I4, "not legal here");
    Story::new(&[MADE, CLAIMED, ACCEPTED, LAPSED, ("pending", "queue_timeout", "failed")])
        .breaks(Invariant::I4, "not legal here");
    plain().with(|history| history.tasks[0].state = "failed".into()).breaks(Invariant::I4, "its last event");
    plain().with(|history| history.tasks[0].worker = Some(WORKER.into())).breaks(Invariant::I4, "held by");
    plain().with(|history| history.jobs[0].status = "running".into()).breaks(Invariant::I4, "make it completed");
    plain().with(|history| history.events.clear()).breaks(Invariant::I4, "nothing is recorded");
    plain().with(|history| history.attempts[0].worker = "x".into()).breaks(Invariant::I4, "is of x");
    plain().with(|history| history.attempts[0].started_at = None).breaks(Invariant::I4, "accepted true");
    plain().with(|history| history.attempts[0].end = None).breaks(Invariant::I4, "its events say");
    plain().with(|history| history.tasks.clear()).breaks(Invariant::I4, "it has no task");
}

#[test]
fn i5_a_key_is_a_job() {
    plain().with(|history| history.keys[0].job = Uuid::from_u128(9)).breaks(Invariant::I5, "which is not there");
    let twice = |history: &mut History| history.keys.push(Key { key: "other".into(), ..history.keys[0].clone() });
    plain().with(twice).breaks(Invariant::I5, "as does key k");
}

#[test]
fn i6_one_lease_at_a_time() {
    two_attempts().with(|history| history.attempts[0].ended_at = Some(150)).breaks(Invariant::I6, "held the lease");
}

#[test]
fn i8_records_are_counted_without_gap() {
    plain().with(|history| drop(history.chunks.remove(0))).breaks(Invariant::I8, "records 1 to 3 are missing");
    plain().with(|history| history.chunks.push(history.chunks[1].clone())).breaks(Invariant::I8, "there again");
    plain().with(|history| history.tasks[0].next_seq = 9).breaks(Invariant::I8, "record 9 is expected next");
    plain().with(|history| history.chunks.clear()).breaks(Invariant::I8, "there is none");
    plain().with(|history| history.chunks[1].batch_last = 7).breaks(Invariant::I8, "expected next");
    plain().with(|history| history.chunks[1].batch_first = 3).breaks(Invariant::I8, "overlaps");
    plain().with(|history| history.chunks[0].batch_first = 2).breaks(Invariant::I8, "does not hold together");
}

#[test]
fn a_log_over_its_limit_may_have_lost_its_middle_and_nothing_else() {
    let gone = |history: &mut History| {
        history.tasks[0].kept_bytes = 7 << 20;
        history.chunks.remove(0);
    };
    plain().with(gone).is_right();
    plain().with(gone).with(|history| history.chunks.push(history.chunks[0].clone())).breaks(Invariant::I8, "again");
}

#[test]
fn i9_nobody_holds_what_has_ended() {
    plain().with(|history| history.tasks[0].worker = Some(WORKER.into())).breaks(Invariant::I9, "still holds a lease");
}

#[test]
fn places_name_the_task_and_the_events() {
    let found = check(&Story::new(&[MADE, RESUMED]).0);
    let text = found[0].to_string();
    assert!(text.starts_with("I4: task 00000000-0000-0000-0000-000000000002, event "), "{text}");
    assert!(text.contains(" and "), "{text}");
}
