//! Random walks: whatever happens in whatever order, some things stay true.

use std::collections::BTreeSet;

use ffleet_protocol::job::{AttemptEnd, RetryRule};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::*;
use crate::domain::{Counters, ReportKind, policy::REASONS_KEPT};

const WORKERS: [&str; 3] = ["one", "two", "three"];

/// One thing that happens, as far as chance decides it.
#[derive(Debug, Clone)]
struct Step {
    what: u8,
    who: usize,
    wait: i64,
    /// Which of the quotes that were ever given; mostly the newest.
    quote: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![5 => 0_i64..6, 3 => 6_i64..40, 1 => 40_i64..400];
    let quote = prop_oneof![5 => Just(0_usize), 1 => 0_usize..8];
    (0_u8..24, 0..WORKERS.len(), wait, quote).prop_map(|(what, who, wait, quote)| Step { what, who, wait, quote })
}

fn policies() -> impl Strategy<Value = Policy> {
    (any::<bool>(), 0_u32..4, any::<bool>(), 2_u32..6).prop_map(|(rerun_stdout, retries, any_end, reject_limit)| {
        let mut policy = policy();
        policy.rerun_stdout = rerun_stdout;
        policy.retry.retries = retries;
        policy.reject_limit = reject_limit;
        if any_end {
            policy.retry.on = vec![RetryRule::Any];
        }
        policy
    })
}

struct Walk {
    task: Task,
    policy: Policy,
    now: i64,
    /// Every quote that was ever given out, the oldest first.
    quotes: Vec<Quote>,
    /// What became of each attempt, as a store would record it.
    attempts: Vec<Option<AttemptEnd>>,
    /// What happened, in words.
    words: BTreeSet<&'static str>,
}

impl Walk {
    fn begins(task: Task, policy: Policy) -> Self {
        Self { task, policy, now: 0, quotes: Vec::new(), attempts: Vec::new(), words: BTreeSet::new() }
    }

    fn event(&self, step: &Step) -> Option<Event> {
        let pick = || {
            let back = step.quote % self.quotes.len().max(1);
            self.quotes.iter().rev().nth(back).cloned()
        };
        let finished = |end: Finish| pick().map(|quote| Event::Finished { quote, end });
        let lapsed = |lapse| Some(Event::LeaseLapsed { lapse });
        match step.what {
            0 => Some(Event::Unblocked),
            1 => Some(Event::DependencyFailed { message: "no".to_owned() }),
            2 => Some(Event::QueueTimedOut),
            3..=6 => Some(Event::Claimed { holder: holder(WORKERS[step.who]) }),
            7..=9 => pick().map(|quote| Event::Accepted { quote }),
            10 => pick().map(|quote| Event::Rejected { quote, reason: format!("reason {}", step.wait) }),
            11 | 12 => pick().map(|quote| Event::Renewed { quote }),
            13 => lapsed(Lapse::Over),
            14 => lapsed(Lapse::OverAndGone),
            15 => lapsed(if step.who == 0 { Lapse::Left } else { Lapse::Superseded }),
            16 => pick().map(|quote| Event::Published { quote, outputs: outputs() }),
            17 => finished(code(0)),
            18 => finished(code(1)),
            19 => finished(fails(FailureClass::Network)),
            20 => finished(fails(FailureClass::EncoderSessionLimit)),
            21 => finished(exits(Exit::HandedBack)),
            22 if step.wait < 3 => {
                Some(Event::CancelRequested { by: "ann".to_owned(), reason: CancelReason::Requested })
            }
            _ => None,
        }
    }

    /// Output arrives as the store would take it.
    fn output(&mut self, step: &Step) {
        if step.what == 23 && self.task.state.status().is_leased() {
            self.task.next_seq += 1;
            self.task.stdout_taken |= step.wait % 4 == 0;
            self.task.stdout_lost |= step.wait % 16 == 1;
        }
    }

    fn go(&mut self, step: &Step) {
        self.now += step.wait;
        self.output(step);
        let Some(event) = self.event(step) else { return };
        let before = self.task.clone();
        match before.on(&event, at(self.now), &self.policy) {
            Err(refusal) => self.refused(&before, &event, &refusal),
            Ok(next) => {
                self.taken(&before, &event, &next);
                self.words.insert(next.what);
                self.task = next.task;
                if let Event::Claimed { .. } = event {
                    self.quotes.push(quote(&self.task));
                }
            }
        }
    }

    fn refused(&self, before: &Task, event: &Event, refusal: &Refusal) {
        if let Some(said) = quoted(event)
            && before.state.lease().is_some_and(|lease| lease.holder.token == said.token)
        {
            assert_ne!(*refusal, Refusal::StaleLease, "{event:?} quotes the lease in {before:?}");
        }
    }

    fn taken(&mut self, before: &Task, event: &Event, next: &Next) {
        let after = &next.task;
        let (from, to) = (before.state.status(), after.state.status());
        assert!(!from.is_terminal(), "{event:?} moved a task that was {from}");
        assert_eq!(after.id, before.id);

        let claimed = matches!(event, Event::Claimed { .. });
        assert_eq!(after.epoch, before.epoch + u32::from(claimed), "{event:?}");
        assert_eq!(claimed, to == TaskStatus::Assigned && from == TaskStatus::Pending);
        assert!(!claimed || self.policy.rerun_stdout || !before.stdout_taken, "its reader would see bytes twice");

        if let Some(said) = quoted(event) {
            let holder = before.state.holder().expect("a quote was taken although nobody held it");
            assert_eq!((said.epoch, said.token), (before.epoch, holder.token), "a stale quote changed something");
        }
        assert_eq!(after.state.lease().is_some(), to.is_leased());
        assert_eq!(after.state.outcome().is_some(), to.is_terminal());
        if let (Some(lease), false) = (after.state.lease(), matches!(event, Event::CancelRequested { .. })) {
            assert!(lease.until > at(self.now) || from == TaskStatus::Assigned, "a lease was given that is over");
        }
        self.counters_are_apart(before, event, after);
        self.attempts_add_up(after, next);
        assert!(after.rejected_because.len() <= REASONS_KEPT && after.avoid.len() <= WORKERS.len());
        let own_outputs = matches!(to, TaskStatus::Publishing | TaskStatus::Completed);
        assert!(!own_outputs || after.kept.is_empty());
        assert!(next.is_recorded() || (from == to && after.epoch == before.epoch && next.attempt.is_none()));
        assert!(!next.is_recorded() || !next.wakes.is_empty());
    }

    fn counters_are_apart(&self, before: &Task, event: &Event, after: &Task) {
        let (old, new) = (before.counters, after.counters);
        let resumed = matches!(before.state, TaskState::Pending { resumable: Some(_), .. }) && quoted(event).is_some();
        let crashes = new.crashes.wrapping_sub(old.crashes).cast_signed();
        let failures = new.failures.wrapping_sub(old.failures).cast_signed();
        match event {
            Event::LeaseLapsed { .. } => {
                let rejected = i32::from(new.rejections > old.rejections);
                let canceled = i32::from(before.state.status() == TaskStatus::Canceling);
                assert_eq!((failures, crashes + rejected + canceled), (0, 1), "{event:?}");
            }
            Event::Finished { .. } => {
                assert_eq!((crashes, new.rejections), (-i32::from(resumed), old.rejections));
                assert!((0..=1).contains(&failures));
            }
            Event::Rejected { .. } => assert_eq!(new, Counters { rejections: old.rejections + 1, ..old }),
            Event::Accepted { .. } => assert_eq!(new, Counters { rejections: 0, ..old }),
            Event::Renewed { .. } | Event::Published { .. } => {
                assert_eq!((failures, crashes, new.rejections), (0, -i32::from(resumed), old.rejections));
            }
            Event::Unblocked
            | Event::DependencyFailed { .. }
            | Event::Claimed { .. }
            | Event::CancelRequested { .. }
            | Event::QueueTimedOut => assert_eq!(new, old),
        }
        let terminal = after.state.status().is_terminal();
        assert!(terminal || new.crashes < self.policy.crash_limit);
        assert!(terminal || new.rejections < self.policy.reject_limit);
        assert!(terminal || new.failures <= self.policy.retry.retries);
    }

    /// An attempt is claimed once, ends once, and is open exactly while its lease is held.
    fn attempts_add_up(&mut self, after: &Task, next: &Next) {
        match &next.attempt {
            Some(AttemptChange::Claimed) => self.attempts.push(None),
            Some(AttemptChange::Started) | None => {}
            Some(AttemptChange::Reopened) => {
                let last = self.attempts.last_mut().expect("no attempt");
                assert_eq!(*last, Some(AttemptEnd::Lapsed));
                *last = None;
            }
            Some(AttemptChange::Ended { end, .. }) => {
                let last = self.attempts.last_mut().expect("no attempt");
                assert!(matches!(last, None | Some(AttemptEnd::Lapsed)), "{last:?} ended again as {end:?}");
                *last = Some(*end);
            }
        }
        assert_eq!(self.attempts.len(), usize::try_from(after.epoch).unwrap());
        let open = self.attempts.last().is_some_and(Option::is_none);
        assert_eq!(open, after.state.status().is_leased(), "{:?} {:?}", self.attempts, after.state);
        assert!(self.attempts.iter().rev().skip(1).all(Option::is_some));
    }

    /// With a worker that does its part the task ends, from wherever it is.
    fn ends(mut self) {
        for round in 0..4 {
            self.now += 400;
            let own = || quote(&self.task);
            let event = match &self.task.state {
                TaskState::Blocked => Event::Unblocked,
                TaskState::Pending { .. } => Event::Claimed { holder: holder("heir") },
                TaskState::Assigned { .. } => Event::Accepted { quote: own() },
                TaskState::Running { .. } | TaskState::Publishing { .. } | TaskState::Canceling { .. } => {
                    Event::Finished { quote: own(), end: code(0) }
                }
                TaskState::Completed { .. } | TaskState::Failed { .. } | TaskState::Canceled { .. } => return,
            };
            let before = self.task.clone();
            let next = before.on(&event, at(self.now), &self.policy);
            let next = next.unwrap_or_else(|why| panic!("round {round}: {event:?} in {before:?}: {why}"));
            self.task = next.task;
        }
        assert!(self.task.state.status().is_terminal(), "{:?}", self.task);
    }
}

fn quoted(event: &Event) -> Option<&Quote> {
    match event {
        Event::Accepted { quote }
        | Event::Rejected { quote, .. }
        | Event::Renewed { quote }
        | Event::Published { quote, .. }
        | Event::Finished { quote, .. } => Some(quote),
        Event::Unblocked
        | Event::DependencyFailed { .. }
        | Event::Claimed { .. }
        | Event::LeaseLapsed { .. }
        | Event::CancelRequested { .. }
        | Event::QueueTimedOut => None,
    }
}

/// Walks that never get anywhere would prove nothing.
#[test]
fn walks_go_everywhere() {
    let mut runner = TestRunner::deterministic();
    let walks = (any::<bool>(), policies(), prop::collection::vec(step(), 1..80));
    let mut words = BTreeSet::new();
    let mut failures = BTreeSet::new();
    for _ in 0..2_000 {
        let (blocked, policy, steps) = walks.new_tree(&mut runner).unwrap().current();
        let mut walk = Walk::begins(Task::new(TaskId::new(), blocked), policy);
        for step in &steps {
            walk.go(step);
        }
        words.append(&mut walk.words);
        failures.extend(walk.task.state.outcome().and_then(|outcome| outcome.failure));
    }
    let expected = [
        "accepted",
        "assignment_timeout",
        "cancel_forced",
        "cancel_requested",
        "canceled",
        "claimed",
        "completed",
        "dependency_failed",
        "failed",
        "handed_back",
        "lease_lapsed",
        "publishing",
        "queue_timeout",
        "rejected",
        "renewed",
        "resumed",
        "retry",
        "unblocked",
    ];
    assert_eq!(words.into_iter().collect::<Vec<_>>(), expected);
    for failure in
        [FailureClass::Poison, FailureClass::Unplaceable, FailureClass::OutputInterrupted, FailureClass::StdoutLost]
    {
        assert!(failures.contains(&failure), "no walk ended as {failure}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_must_hold_holds(blocked: bool, policy in policies(), steps in prop::collection::vec(step(), 1..80)) {
        let task = Task::new(TaskId::new(), blocked);
        let mut walk = Walk::begins(task, policy);
        for step in &steps {
            walk.go(step);
        }
        walk.ends();
    }

    #[test]
    fn a_recorded_finish_is_recorded_for_ever(steps in prop::collection::vec(step(), 1..40)) {
        let mut walk = Walk::begins(fresh(), policy());
        for step in &steps {
            walk.go(step);
            if let Some(last) = &walk.task.last_report {
                let quote = Quote { epoch: last.epoch, token: last.token, worker: worker("one") };
                let again = match last.kind {
                    ReportKind::Finished => Event::Finished { quote, end: code(3) },
                    ReportKind::Rejected => Event::Rejected { quote, reason: "again".to_owned() },
                };
                let answer = walk.task.on(&again, at(walk.now), &walk.policy);
                prop_assert_eq!(answer, Err(Refusal::AlreadyRecorded));
            }
        }
    }
}
