use crate::domain::{fair_key, is_suspect, share, share::SCALE};

#[test]
fn work_spreads_over_those_who_wait() {
    let table = [
        // claimable, waiting, free → granted
        (0, 1, 4, 1),
        (1, 1, 4, 1),
        (4, 1, 4, 4),
        (100, 1, 4, 4),
        (4, 4, 4, 1),
        (5, 4, 4, 2),
        (3, 10, 4, 1),
        (200, 2, 300, 100),
        (7, 0, 4, 4),
        (7, 1, 0, 0),
        (u64::MAX, 1, u32::MAX, u32::MAX),
    ];
    for (claimable, waiting, free, granted) in table {
        assert_eq!(share(claimable, waiting, free), granted, "{claimable} for {waiting} with {free} slots");
    }
}

#[test]
fn the_key_follows_the_line_and_the_requesters_own_work() {
    assert_eq!(fair_key(None, None, 1), SCALE);
    assert_eq!(fair_key(Some(70), None, 1), 70 + SCALE);
    assert_eq!(fair_key(None, Some(90), 1), 90 + SCALE);
    assert_eq!(fair_key(Some(70), Some(90), 1), 90 + SCALE);
    assert_eq!(fair_key(Some(90), Some(70), 1), 90 + SCALE);
    assert_eq!(fair_key(Some(0), None, 4), SCALE / 4);
    assert_eq!(fair_key(Some(0), None, 0), SCALE, "a weight of nothing counts as one");
    assert_eq!(fair_key(Some(0), None, u32::MAX), 1, "a step is never nothing");
    assert_eq!(fair_key(Some(i64::MAX), None, 1), i64::MAX);
}

/// Submits and claims as the store would, in one priority.
#[derive(Default)]
struct Line {
    waiting: Vec<(i64, &'static str)>,
}

impl Line {
    fn submit(&mut self, who: &'static str, weight: u32, count: usize) {
        for _ in 0..count {
            let lowest = self.waiting.iter().map(|(key, _)| *key).min();
            let own = self.waiting.iter().filter(|(_, whose)| *whose == who).map(|(key, _)| *key).max();
            self.waiting.push((fair_key(lowest, own, weight), who));
        }
    }

    fn claim(&mut self, count: usize) -> String {
        self.waiting.sort();
        self.waiting.drain(..count).map(|(_, who)| who).collect()
    }
}

#[test]
fn one_who_comes_late_waits_behind_no_backlog() {
    let mut line = Line::default();
    line.submit("a", 1, 100);
    assert_eq!(line.claim(10), "a".repeat(10));
    line.submit("b", 1, 5);
    let next = line.claim(11);
    assert_eq!(next.matches('b').count(), 5, "{next}");
}

#[test]
fn one_who_was_away_is_owed_nothing() {
    let mut line = Line::default();
    line.submit("a", 1, 50);
    line.submit("b", 1, 1);
    line.claim(30);
    line.submit("b", 1, 20);
    let next = line.claim(20);
    assert!((9..=11).contains(&next.matches('b').count()), "{next}");
}

#[test]
fn weights_are_shares() {
    let mut line = Line::default();
    line.submit("a", 1, 100);
    line.submit("b", 3, 100);
    let next = line.claim(80);
    assert!((58..=62).contains(&next.matches('b').count()), "{next}");
}

#[test]
fn suspects_are_one_loss_away_from_poison() {
    let suspects = |limit| (0..4).filter(|crashes| is_suspect(*crashes, limit)).collect::<Vec<_>>();
    assert_eq!(suspects(3), [2, 3]);
    assert_eq!(suspects(2), [1, 2, 3]);
    assert_eq!(suspects(1), [1, 2, 3], "what was never lost is no suspect");
}
