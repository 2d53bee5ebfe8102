//! How far a job is, in one line.

use std::time::Duration;

use ffleet_protocol::log::Progress;

use crate::durations;

/// Where nobody watches, a line is written after so long …
const EVERY: Duration = Duration::from_secs(10);
/// … or so many percent, whichever comes first.
const STEP: f64 = 10.0;

/// One line for people; empty while nothing has been counted.
#[must_use]
pub fn line(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if let Some(percent) = progress.percent {
        parts.push(format!("{percent:.1} %"));
    }
    if let Some(time) = progress.out_time_us {
        let whole = progress.duration_us.map(|us| format!(" of {}", clock(us))).unwrap_or_default();
        parts.push(format!("{}{whole}", clock(time)));
    }
    if let Some(frame) = progress.frame {
        parts.push(format!("frame {frame}"));
    }
    if let Some(fps) = progress.fps {
        parts.push(format!("{fps:.1} fps"));
    }
    if let Some(speed) = progress.speed {
        parts.push(format!("{speed:.2}x"));
    }
    if let Some(size) = progress.size {
        parts.push(bytes(size));
    }
    if let Some(eta) = progress.eta_s.filter(|eta| eta.is_finite() && *eta >= 0.0) {
        #[expect(clippy::cast_possible_truncation, reason = "a float saturates when it becomes an integer")]
        let seconds = eta.ceil() as i64;
        parts.push(format!("{} left", durations::human(seconds)));
    }
    parts.join(", ")
}

/// Media time as FFmpeg writes it, without its fractions.
fn clock(us: i64) -> String {
    let seconds = us.max(0) / 1_000_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Sizes in decimal units.
#[must_use]
pub fn bytes(size: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB"];
    if size < 1_000 {
        return format!("{size} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    let mut value = size as f64 / 1_000.0;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// Lets through as many reports as a log can bear.
#[derive(Debug, Default)]
pub struct Thinner {
    last: Option<(Duration, Option<f64>)>,
}

impl Thinner {
    /// Whether this report is to be written, `now` after some beginning.
    pub fn passes(&mut self, progress: &Progress, now: Duration) -> bool {
        let due = match self.last {
            None => true,
            Some((at, percent)) => {
                let moved = match (percent, progress.percent) {
                    // Back means a new attempt.
                    (Some(before), Some(after)) => after - before >= STEP || after < before,
                    (None, after) => after.is_some(),
                    (Some(_), None) => false,
                };
                moved || now.saturating_sub(at) >= EVERY
            }
        };
        if due {
            self.last = Some((now, progress.percent));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::state::Phase;

    use super::*;

    #[test]
    fn whatever_is_known_is_shown() {
        let full = Progress {
            phase: Some(Phase::Encoding),
            frame: Some(250),
            fps: Some(49.87),
            bitrate: Some(1e6),
            size: Some(1_234_567),
            out_time_us: Some(10_400_000),
            duration_us: Some(3_600_000_000),
            speed: Some(1.999),
            percent: Some(12.34),
            eta_s: Some(70.2),
        };
        assert_eq!(line(&full), "12.3 %, 00:00:10 of 01:00:00, frame 250, 49.9 fps, 2.00x, 1.2 MB, 1 min 11 s left");
        assert_eq!(line(&Progress { phase: Some(Phase::Probing), ..Progress::default() }), "");
        assert_eq!(line(&Progress { eta_s: Some(f64::NAN), ..Progress::default() }), "");
        assert_eq!((bytes(999), bytes(2_500_000_000)), ("999 B".to_owned(), "2.5 GB".to_owned()));
    }

    #[test]
    fn a_log_gets_a_line_every_ten_seconds_or_ten_percent() {
        let mut thinner = Thinner::default();
        let mut passed = |seconds, percent| {
            thinner.passes(&Progress { percent, ..Progress::default() }, Duration::from_secs(seconds))
        };
        assert!(passed(0, Some(0.0)));
        assert!(!passed(2, Some(9.0)));
        assert!(passed(3, Some(10.0)));
        assert!(!passed(12, Some(11.0)));
        assert!(passed(13, Some(11.0)));
        assert!(passed(14, Some(1.0)));
        assert!(!passed(20, None));
        assert!(passed(24, None));
    }
}
