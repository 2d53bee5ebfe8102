//! What all followers of a job look at, looked up once for all of them: a thousand who watch the same encode cost the
//! database as much as one.
//!
//! A look begins with the job. It counts until the job's bell rings again, for whoever changes a job commits first and
//! rings then, and for a second at most, because a ring from elsewhere can be lost. Everything else that belongs to a look
//! is read after the job was: once the job says that it has ended, no line can be missing.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffleet_protocol::{
    id::{JobId, TaskId},
    job::AttemptView,
    state::Stream,
    topic::Topic,
};

use tokio::sync::Mutex;

use super::{OpError, follow::page, no_such_job};
use crate::{app::App, store::tasks::SeenJob};

/// Nothing is believed for longer.
const FRESH: Duration = Duration::from_secs(1);
/// Output of one job that is kept for its next follower, and pages of it.
const PAGES_BYTES: usize = 4 * 1024 * 1024;
const PAGES: usize = 256;

/// The jobs that somebody follows.
#[derive(Debug, Default)]
pub(crate) struct Followed(std::sync::Mutex<HashMap<JobId, Weak<Shared>>>);

impl Followed {
    /// What the followers of this job share; it goes with the last of them.
    pub(super) fn join(&self, job: JobId) -> Arc<Shared> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(&job).and_then(Weak::upgrade) {
            return shared;
        }
        all.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::new(Shared::of(job));
        all.insert(job, Arc::downgrade(&shared));
        shared
    }
}

/// What the followers of one job share. While one of them reads, the others wait for what it reads.
#[derive(Debug)]
pub(super) struct Shared {
    job: JobId,
    looks: Mutex<Option<Look>>,
    attempts: Mutex<(u64, Attempts)>,
    pages: Mutex<Pages>,
}

type Attempts = Arc<HashMap<TaskId, Vec<AttemptView>>>;

/// A job and its tasks as they were at one moment.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) seen: Arc<SeenJob>,
    /// Counts the looks of this job, from 1.
    number: u64,
    /// The bell's last ring before it.
    rung: u64,
    at: Instant,
}

/// A place in the output of a task from which on there may be lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) task: TaskId,
    pub(super) epoch: u32,
    pub(super) after: u64,
    pub(super) only: Option<Stream>,
}

/// Lines from a place on, as followers read them.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) lines: Bytes,
    /// The number up to which these are all there are.
    pub(super) through: u64,
    /// Whether there may be more at once.
    pub(super) more: bool,
}

impl Shared {
    fn of(job: JobId) -> Self {
        let (looks, attempts, pages) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { job, looks, attempts, pages }
    }

    /// Begins a look.
    pub(super) async fn look(&self, app: &App) -> Result<Look, OpError> {
        let mut last = self.looks.lock().await;
        // Before reading: what happens meanwhile rings again.
        let (rung, at) = (app.bells.last_ring(&Topic::Job(self.job)), Instant::now());
        if let Some(look) = &*last
            && look.rung >= rung
            && at.duration_since(look.at) < FRESH
        {
            return Ok(look.clone());
        }
        let seen = Arc::new(app.store.seen_job(self.job).await?.ok_or_else(no_such_job)?);
        let look = Look { seen, number: last.as_ref().map_or(1, |look| look.number + 1), rung, at };
        *last = Some(look.clone());
        Ok(look)
    }

    /// The attempts at the job's tasks.
    pub(super) async fn attempts(&self, app: &App, look: &Look) -> Result<Attempts, OpError> {
        let mut last = self.attempts.lock().await;
        if last.0 < look.number {
            *last = (look.number, Arc::new(app.store.attempts(self.job).await?));
        }
        Ok(last.1.clone())
    }

    /// The lines from a place on. `hold_back` is the job's, and therefore the same for all who ask.
    pub(super) async fn page(&self, app: &App, look: &Look, place: Place, hold_back: bool) -> Result<Page, OpError> {
        let mut pages = self.pages.lock().await;
        if let Some(page) = pages.find(place, look.number) {
            return Ok(page);
        }
        let page = page(app, place, hold_back).await?;
        pages.keep(place, look.number, page.clone());
        Ok(page)
    }
}

/// Pages, with the look that each was read for, the newest last.
#[derive(Debug, Default)]
struct Pages {
    kept: VecDeque<(Place, u64, Page)>,
    bytes: usize,
}

impl Pages {
    /// A page that is followed by another one stays as it is; the last one grows.
    fn find(&self, place: Place, look: u64) -> Option<Page> {
        let found = self.kept.iter().rev().find(|(at, ..)| *at == place);
        found.filter(|(_, read_for, page)| page.more || *read_for >= look).map(|(.., page)| page.clone())
    }

    fn keep(&mut self, place: Place, look: u64, page: Page) {
        self.bytes += page.lines.len();
        self.kept.push_back((place, look, page));
        while self.bytes > PAGES_BYTES || self.kept.len() > PAGES {
            let Some((.., gone)) = self.kept.pop_front() else { break };
            self.bytes -= gone.lines.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_grows_and_all_others_stay() {
        let place = |after| Place { task: TaskId::new(), epoch: 1, after, only: None };
        let page = |bytes, more| Page { lines: Bytes::from(vec![b' '; bytes]), through: 9, more };
        let (mut pages, first, last) = (Pages::default(), place(0), place(9));
        pages.keep(first, 1, page(10, true));
        pages.keep(last, 1, page(10, false));
        assert!(pages.find(first, 1).is_some() && pages.find(last, 1).is_some());
        assert!(pages.find(first, 2).is_some() && pages.find(last, 2).is_none(), "there may be more by now");
        pages.keep(place(20), 2, page(PAGES_BYTES - 5, true));
        assert!(pages.find(first, 2).is_none(), "the oldest made room");
        assert!(pages.bytes <= PAGES_BYTES);
    }

    #[test]
    fn what_is_shared_goes_with_the_last_follower() {
        let (followed, job) = (Followed::default(), JobId::new());
        let first = followed.join(job);
        assert!(Arc::ptr_eq(&first, &followed.join(job)));
        drop(first);
        followed.join(JobId::new());
        assert_eq!(followed.0.lock().unwrap().len(), 1);
    }
}
