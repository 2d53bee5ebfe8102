//! How much of something long is done: a bar on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{output::Output, screen::ProgressMode};

/// Where nobody watches, a line is written after so long.
const EVERY: Duration = Duration::from_secs(10);

/// Counts on standard error. Nothing is shown with `--json`.
pub struct Tally<'a> {
    out: &'a Output,
    what: &'static str,
    total: u64,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl<'a> Tally<'a> {
    /// Begins to count up to `total`.
    #[must_use]
    pub fn new(out: &'a Output, mode: ProgressMode, what: &'static str, total: usize) -> Self {
        let total = total as u64;
        let shown = if out.json() || mode == ProgressMode::Never {
            Shown::Nothing
        } else if out.terminal_err() {
            let bar = ProgressBar::new(total).with_message(what);
            // The template is a constant; should it not be taken, the bar has another look.
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {eta} left") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: Instant::now() }
        };
        Self { out, what, total, shown }
    }

    /// So many are done.
    pub fn at(&mut self, done: usize) {
        match &mut self.shown {
            Shown::Bar(bar) => bar.set_position(done as u64),
            Shown::Lines { last } if last.elapsed() >= EVERY => {
                *last = Instant::now();
                self.out.note(&format!("{}: {done} of {}", self.what, self.total));
            }
            Shown::Lines { .. } | Shown::Nothing => {}
        }
    }

    /// A remark in between.
    pub fn note(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| self.out.note(text)),
            Shown::Lines { .. } | Shown::Nothing => self.out.note(text),
        }
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
