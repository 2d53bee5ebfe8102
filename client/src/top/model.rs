//! What the view shows, and what comes of each input. Nothing here reads a clock, a key or a socket: the time and the news
//! come in, the wishes go out.

use ffleet_client::Followed;
use ffleet_protocol::{
    id::{JobId, WorkerId},
    overview::Overview,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    panes::{Cursors, Pane, RowId},
    tail::Tail,
};

/// How long a remark stays.
const REMARK: SignedDuration = SignedDuration::from_secs(8);
/// Rows of one press of page up or page down.
const PAGE: usize = 10;

/// Everything that is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Who looks, and at what.
    pub title: String,
    /// This machine's time.
    pub now: Timestamp,
    /// The last look that succeeded, and when it did.
    pub seen: Option<(Overview, Timestamp)>,
    /// Since when, and why, looks have failed.
    pub silent: Option<Silence>,
    /// Which list the keys speak of.
    pub focus: Pane,
    /// Which row of each list is marked.
    pub cursors: Cursors,
    /// What has to be confirmed.
    pub question: Option<Question>,
    /// Whether the keys are explained.
    pub help: bool,
    /// The job whose output is shown instead of the lists.
    pub tail: Option<Tail>,
    /// What came of the last wish.
    pub remark: Option<Remark>,
}

/// Nobody answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Since when.
    pub since: Timestamp,
    /// The last cause.
    pub why: String,
}

/// A few words about a wish, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The words.
    pub text: String,
    /// Whether it went wrong.
    pub bad: bool,
    until: Timestamp,
}

/// What is done only after a second key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Cancel this job?
    Cancel(JobId),
    /// Let this worker finish and leave?
    Drain(WorkerId),
}

/// A key, whatever the terminal called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// Several rows up.
    PageUp,
    /// Several rows down.
    PageDown,
    /// To the first row.
    Home,
    /// To the last row.
    End,
    /// To the next list.
    Next,
    /// To the list before.
    Previous,
    /// Yes, this one.
    Enter,
    /// Back.
    Escape,
    /// Ctrl-C.
    Interrupt,
    /// A letter, digit or sign.
    Char(char),
}

/// What can happen to the view.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// Some time has passed, or the window has another size.
    Tick,
    /// A look has succeeded.
    Seen(Box<Overview>),
    /// A look has failed.
    Unseen(String),
    /// A wish was granted, or was not.
    Answered(Result<String, String>),
    /// News of the followed job.
    Followed(Box<Followed>),
    /// Nothing more comes of the followed job; the reason, if it is not its end.
    FollowedToTheEnd(Option<String>),
}

/// What the view wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Look at the fleet now.
    Look,
    /// Cancel a job.
    Cancel(JobId),
    /// Let a worker finish what runs, and leave.
    Drain(WorkerId),
    /// Give a worker no new work.
    Pause(WorkerId),
    /// Give a worker work again.
    Resume(WorkerId),
    /// Follow a job.
    Follow(JobId),
    /// Follow no job any more.
    Unfollow,
    /// Leave.
    Quit,
}

impl State {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(title: String, now: Timestamp) -> Self {
        Self {
            title,
            now,
            seen: None,
            silent: None,
            focus: Pane::Running,
            cursors: Cursors::default(),
            question: None,
            help: false,
            tail: None,
            remark: None,
        }
    }

    /// What comes of an input, at a moment.
    #[must_use]
    pub fn on(mut self, input: Input, now: Timestamp) -> (Self, Vec<Action>) {
        self.now = now;
        if self.remark.as_ref().is_some_and(|remark| remark.until <= now) {
            self.remark = None;
        }
        let actions = match input {
            Input::Key(key) => self.key(key),
            Input::Tick => Vec::new(),
            Input::Seen(overview) => {
                self.silent = None;
                self.cursors.settle(&overview);
                self.seen = Some((*overview, now));
                Vec::new()
            }
            Input::Unseen(why) => {
                let since = self.silent.take().map_or(now, |silence| silence.since);
                self.silent = Some(Silence { since, why });
                Vec::new()
            }
            Input::Answered(answer) => {
                let bad = answer.is_err();
                let text = answer.unwrap_or_else(|why| why);
                self.remark = Some(Remark { text, bad, until: now.saturating_add(REMARK).unwrap_or(now) });
                // Whatever it was, the lists may show it.
                vec![Action::Look]
            }
            Input::Followed(followed) => {
                if let Some(tail) = &mut self.tail {
                    tail.followed(*followed);
                }
                Vec::new()
            }
            Input::FollowedToTheEnd(why) => {
                if let (Some(tail), Some(why)) = (&mut self.tail, why) {
                    tail.broken(why);
                }
                Vec::new()
            }
        };
        (self, actions)
    }

    /// The coordinators' time now, as far as the last look and this machine's clock can tell.
    #[must_use]
    pub fn their_now(&self) -> Timestamp {
        self.seen.as_ref().map_or(self.now, |(overview, at)| {
            let since = self.now.duration_since(*at).max(SignedDuration::ZERO);
            overview.at.saturating_add(since).unwrap_or(overview.at)
        })
    }

    fn key(&mut self, key: Key) -> Vec<Action> {
        if key == Key::Interrupt {
            return vec![Action::Quit];
        }
        if let Some(question) = self.question.take() {
            return match key {
                Key::Char('y' | 'Y') => self.confirmed(question),
                // Anything else is a no: a question that stays would take keys that were meant for something else.
                _ => Vec::new(),
            };
        }
        if self.help {
            self.help = false;
            return Vec::new();
        }
        if key == Key::Char('?') {
            self.help = true;
            return Vec::new();
        }
        match &mut self.tail {
            Some(_) if matches!(key, Key::Escape | Key::Enter | Key::Char('q' | 'f')) => {
                self.tail = None;
                vec![Action::Unfollow, Action::Look]
            }
            Some(tail) if key == Key::Char('c') => {
                self.question = (!tail.has_ended()).then_some(Question::Cancel(tail.job));
                Vec::new()
            }
            Some(tail) => {
                tail.scroll(key, PAGE);
                Vec::new()
            }
            None => self.key_in_lists(key),
        }
    }

    fn key_in_lists(&mut self, key: Key) -> Vec<Action> {
        match key {
            Key::Char('q') => return vec![Action::Quit],
            Key::Next => self.focus = self.focus.next(),
            Key::Previous => self.focus = self.focus.previous(),
            Key::Char(digit @ '1'..='4') => self.focus = Pane::ALL[digit as usize - '1' as usize],
            Key::Up | Key::Char('k') => self.step(|row| row.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.step(|row| row + 1),
            Key::PageUp => self.step(|row| row.saturating_sub(PAGE)),
            Key::PageDown => self.step(|row| row + PAGE),
            Key::Home => self.step(|_| 0),
            Key::End => self.step(|_| usize::MAX),
            Key::Enter | Key::Char('f') => return self.follow(),
            Key::Char('c') => match self.marked() {
                Some(RowId::Task { job, .. }) => self.question = Some(Question::Cancel(job)),
                Some(RowId::Ended(_)) => self.hint("this job has ended"),
                Some(RowId::Worker(_)) | None => self.hint("mark a job that runs or waits (Tab, ↑, ↓), then press c"),
            },
            Key::Char('d') => match self.marked_worker() {
                Some(worker) => self.question = Some(Question::Drain(worker)),
                None => self.hint("mark a worker (1, ↑, ↓), then press d"),
            },
            Key::Char('p') => return self.steer("p", Action::Pause),
            Key::Char('r') => return self.steer("r", Action::Resume),
            Key::Escape | Key::Interrupt | Key::Char(_) => {}
        }
        Vec::new()
    }

    fn confirmed(&mut self, question: Question) -> Vec<Action> {
        match question {
            Question::Cancel(job) => vec![Action::Cancel(job)],
            Question::Drain(worker) => vec![Action::Drain(worker)],
        }
    }

    fn step(&mut self, to: impl Fn(usize) -> usize) {
        if let Some((overview, _)) = &self.seen {
            self.cursors.step(self.focus, overview, to);
        }
    }

    fn follow(&mut self) -> Vec<Action> {
        let job = match self.marked() {
            Some(RowId::Task { job, .. } | RowId::Ended(job)) => job,
            Some(RowId::Worker(_)) | None => {
                self.hint("mark a job (Tab, ↑, ↓) to see its output");
                return Vec::new();
            }
        };
        self.tail = Some(Tail::new(job));
        vec![Action::Follow(job)]
    }

    fn steer(&mut self, key: &str, action: impl Fn(WorkerId) -> Action) -> Vec<Action> {
        match self.marked_worker() {
            Some(worker) => vec![action(worker)],
            None => {
                self.hint(&format!("mark a worker (1, ↑, ↓), then press {key}"));
                Vec::new()
            }
        }
    }

    fn marked(&self) -> Option<RowId> {
        let (overview, _) = self.seen.as_ref()?;
        self.cursors.marked(self.focus, overview)
    }

    fn marked_worker(&self) -> Option<WorkerId> {
        match self.marked() {
            Some(RowId::Worker(worker)) => Some(worker),
            Some(RowId::Task { .. } | RowId::Ended(_)) | None => None,
        }
    }

    fn hint(&mut self, text: &str) {
        let until = self.now.saturating_add(REMARK).unwrap_or(self.now);
        self.remark = Some(Remark { text: text.to_owned(), bad: false, until });
    }
}
