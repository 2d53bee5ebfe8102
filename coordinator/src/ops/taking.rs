//! Tasks that claims of this coordinator are taking just now. Claims that come at the same moment all see the same tasks
//! first; without this, all but one would load, decide and lose each of them in turn. The commit decides all the same: what
//! is remembered here are manners, and other coordinators do not know of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ffleet_protocol::{
    id::{TaskId, Token},
    topic::Topic,
};
use tokio::sync::OwnedMutexGuard;

use crate::{notify::Bells, store::claim::Candidate};

/// What is being taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taking(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Looks so far.
    looks: u64,
    /// Those that go on.
    open: BTreeSet<u64>,
    tasks: HashMap<TaskId, Mark>,
    /// Claims that go on, by their token.
    turns: HashMap<Token, Arc<tokio::sync::Mutex<()>>>,
    /// When a claim of another coordinator was last in the way of one of ours.
    lost: Option<Instant>,
}

/// For so long after that, others are thought to be at it still.
const COMPANY: Duration = Duration::from_secs(2);

/// A claim's turn, or its place in the line for it, until dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    taking: Taking,
    token: Token,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.taking.state();
        drop(self.held.take());
        // The map's own: nobody has it or waits for it.
        if state.turns.get(&self.token).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            state.turns.remove(&self.token);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// A look is taking it; whether another one has left it alone for that.
    Now { left_alone: bool },
    /// Taken. Looks up to this one may have read it while it was still to be had.
    Gone { last: u64 },
}

/// A claim that looks for tasks, from before it reads until it has what it gets.
#[derive(Debug)]
pub(crate) struct Look {
    taking: Taking,
    bells: Bells,
    number: u64,
    mine: Vec<(TaskId, i64)>,
    taken: Vec<TaskId>,
}

impl Taking {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while another claim with this token goes on.
    pub(crate) async fn turn(&self, token: Token) -> Turn {
        // Whoever leaves the line early leaves nothing behind either.
        let mut place = Turn { taking: self.clone(), token, held: None };
        let turn = self.state().turns.entry(token).or_default().clone();
        place.held = Some(turn.lock_owned().await);
        place
    }

    /// A claim of another coordinator was faster.
    pub(crate) fn lost(&self) {
        self.state().lost = Some(Instant::now());
    }

    /// Whether others are taking tasks as well, as far as could be noticed.
    pub(crate) fn has_company(&self) -> bool {
        self.state().lost.is_some_and(|at| at.elapsed() < COMPANY)
    }

    /// Begins to look. What is left in the end is rung for, if others left it alone meanwhile.
    pub(crate) fn look(&self, bells: &Bells) -> Look {
        let mut state = self.state();
        state.looks += 1;
        let number = state.looks;
        state.open.insert(number);
        Look { taking: self.clone(), bells: bells.clone(), number, mine: Vec::new(), taken: Vec::new() }
    }
}

impl Look {
    /// The next `n` of these that nobody else is taking.
    pub(crate) fn mark(&mut self, candidates: &mut impl Iterator<Item = Candidate>, n: usize) -> Vec<Candidate> {
        let mut state = self.taking.state();
        let number = self.number;
        let free = candidates.filter(|candidate| match state.tasks.get_mut(&candidate.task()) {
            Some(Mark::Now { left_alone }) => {
                *left_alone = true;
                false
            }
            Some(Mark::Gone { last }) if number <= *last => false,
            Some(Mark::Gone { .. }) | None => {
                state.tasks.insert(candidate.task(), Mark::Now { left_alone: false });
                true
            }
        });
        let marked: Vec<Candidate> = free.take(n).collect();
        self.mine.extend(marked.iter().map(|candidate| (candidate.task(), candidate.need)));
        marked
    }

    /// It is this claim's.
    pub(crate) fn took(&mut self, task: TaskId) {
        self.taken.push(task);
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let mut left = Vec::new();
        {
            let mut state = self.taking.state();
            let last = state.looks;
            for (task, need) in &self.mine {
                if self.taken.contains(task) {
                    state.tasks.insert(*task, Mark::Gone { last });
                } else if let Some(Mark::Now { left_alone: true }) = state.tasks.remove(task) {
                    left.push(*need);
                }
            }
            state.open.remove(&self.number);
            let oldest = state.open.first().copied().unwrap_or(u64::MAX);
            state.tasks.retain(|_, mark| !matches!(mark, Mark::Gone { last } if *last < oldest));
        }
        left.into_iter().for_each(|need| self.bells.ring(&Topic::Queue(need)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(n: usize) -> Vec<Candidate> {
        let one = |id| Candidate { id, job_id: id, neg_priority: 0, fair_key: 0, need: 7 };
        (0..n).map(|_| one(uuid::Uuid::now_v7())).collect()
    }

    fn marked(look: &mut Look, all: &[Candidate], n: usize) -> Vec<Candidate> {
        look.mark(&mut all.iter().cloned(), n)
    }

    #[test]
    fn looks_at_the_same_moment_take_different_tasks() {
        let (taking, bells, all) = (Taking::default(), Bells::default(), candidates(5));
        let (mut first, mut second) = (taking.look(&bells), taking.look(&bells));
        assert_eq!(marked(&mut first, &all, 3), all[..3]);
        assert_eq!(marked(&mut second, &all, 3), all[3..]);
    }

    #[test]
    fn what_was_read_before_it_was_taken_is_not_tried_and_what_came_back_is() {
        let (taking, bells, all) = (Taking::default(), Bells::default(), candidates(1));
        let (mut first, mut second) = (taking.look(&bells), taking.look(&bells));
        marked(&mut first, &all, 1);
        first.took(all[0].task());
        drop(first);
        assert!(marked(&mut second, &all, 1).is_empty(), "it read the task before that was taken");
        let mut third = taking.look(&bells);
        assert_eq!(marked(&mut third, &all, 1), all, "it read the task afterwards: it is to be had again");
    }

    #[tokio::test]
    async fn what_was_left_alone_in_vain_is_rung_for() {
        let (taking, bells, all) = (Taking::default(), Bells::default(), candidates(1));
        let (mut first, mut second) = (taking.look(&bells), taking.look(&bells));
        marked(&mut first, &all, 1);
        assert!(marked(&mut second, &all, 1).is_empty());
        let waiting = bells.wait_for_work(vec![7], None);
        drop(first);
        waiting.woken().await;
    }

    #[tokio::test]
    async fn copies_of_a_claim_go_one_after_the_other() {
        let (taking, token) = (Taking::default(), Token::new());
        let first = taking.turn(token).await;
        let mut second = Box::pin(taking.turn(token));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(taking.turn(Token::new()).await);
        let mut third = Box::pin(taking.turn(token));
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(first);
        drop(third);
        drop(second.await);
        let fourth = taking.turn(token).await;
        let mut fifth = Box::pin(taking.turn(token));
        assert!(futures_util::poll!(&mut fifth).is_pending());
        drop(fourth);
        drop(fifth);
        assert!(taking.state().turns.is_empty());
    }

    #[test]
    fn nothing_is_remembered_for_good() {
        let (taking, bells, all) = (Taking::default(), Bells::default(), candidates(3));
        let mut look = taking.look(&bells);
        marked(&mut look, &all, 3);
        look.took(all[1].task());
        drop(look);
        let state = taking.state();
        assert!(state.tasks.is_empty() && state.open.is_empty(), "{state:?}");
    }
}
