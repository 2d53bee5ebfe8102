//! How far something slow has come, for people who look on. Nothing of it goes into pipes and logs.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use ffleet_coordinator::store::transfer::{self, Doing};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// A line on standard error that is written again and again.
pub struct Progress {
    shown: bool,
    last: Option<Instant>,
}

impl Progress {
    /// Shows nothing where nobody looks on.
    pub fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), last: None }
    }

    /// Says something, unless something was said just now.
    pub fn say(&mut self, text: &str) {
        if self.shown && self.last.is_none_or(|last| last.elapsed() >= EVERY) {
            self.last = Some(Instant::now());
            eprint!("\r\x1b[K{text}");
            drop(std::io::stderr().flush());
        }
    }

    /// Says how far an export or an import has come.
    pub fn transfer(&mut self, at: transfer::Progress) {
        let doing = match at.doing {
            Doing::Exporting => "exporting",
            Doing::Verifying => "reading the file to its end first",
            Doing::Emptying => return self.say(&format!("removing what is left of {} …", at.table)),
            Doing::Importing => "importing",
        };
        let of = at.of.map(|of| format!(" of {of}")).unwrap_or_default();
        self.say(&format!("{doing}: {} … {}{of} rows", at.table, at.rows));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.last.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
