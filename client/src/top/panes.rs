//! The four lists, and which row of each is marked.

use ffleet_protocol::{
    id::{JobId, TaskId, WorkerId},
    overview::Overview,
};

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The workers.
    Workers,
    /// Tasks that workers hold.
    Running,
    /// Tasks that wait.
    Queue,
    /// Jobs that have ended.
    Ended,
}

impl Pane {
    /// From top to bottom.
    pub const ALL: [Self; 4] = [Self::Workers, Self::Running, Self::Queue, Self::Ended];

    /// The one below; the first one below the last.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// The one above; the last one above the first.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::ALL[(self as usize + Self::ALL.len() - 1) % Self::ALL.len()]
    }

    /// What its rows are about, in order.
    fn rows(self, overview: &Overview) -> Vec<RowId> {
        match self {
            Self::Workers => overview.workers.iter().map(|worker| RowId::Worker(worker.id.clone())).collect(),
            Self::Running => {
                overview.running.iter().map(|task| RowId::Task { job: task.brief.job, task: task.task }).collect()
            }
            Self::Queue => {
                overview.next.iter().map(|task| RowId::Task { job: task.brief.job, task: task.task }).collect()
            }
            Self::Ended => overview.ended.iter().map(|job| RowId::Ended(job.brief.job)).collect(),
        }
    }
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowId {
    /// A worker.
    Worker(WorkerId),
    /// A task that has not ended.
    Task {
        /// Its job.
        job: JobId,
        /// The task.
        task: TaskId,
    },
    /// A job that has ended.
    Ended(JobId),
}

/// The marked row of each list. It is known by what it is about: rows come and go between two looks, and a key must not
/// meet the one that has moved to its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cursors([Cursor; 4]);

#[derive(Debug, Clone, Default, PartialEq)]
struct Cursor {
    row: usize,
    about: Option<RowId>,
}

impl Cursors {
    /// Where the marked row of a list stands.
    #[must_use]
    pub fn row(&self, pane: Pane) -> usize {
        self.0[pane as usize].row
    }

    /// What the marked row is about.
    #[must_use]
    pub fn marked(&self, pane: Pane, overview: &Overview) -> Option<RowId> {
        let cursor = &self.0[pane as usize];
        pane.rows(overview).into_iter().nth(cursor.row)
    }

    /// Moves the mark of a list.
    pub fn step(&mut self, pane: Pane, overview: &Overview, to: impl Fn(usize) -> usize) {
        let mut rows = pane.rows(overview);
        let cursor = &mut self.0[pane as usize];
        cursor.row = to(cursor.row).min(rows.len().saturating_sub(1));
        cursor.about = (cursor.row < rows.len()).then(|| rows.swap_remove(cursor.row));
    }

    /// Finds the marked rows in a new look. A mark whose row is gone stays where it was.
    pub fn settle(&mut self, overview: &Overview) {
        for pane in Pane::ALL {
            let cursor = &mut self.0[pane as usize];
            // A mark that nobody has moved stays on the first row, whatever that is.
            let Some(about) = &cursor.about else { continue };
            let rows = pane.rows(overview);
            let found = rows.iter().position(|row| row == about);
            cursor.row = found.unwrap_or(cursor.row).min(rows.len().saturating_sub(1));
            cursor.about = rows.into_iter().nth(cursor.row);
        }
    }
}
