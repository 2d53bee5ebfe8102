//! FFmpeg's `-progress` output, a `key=value` a line, read into numbers. Pure: bytes come in, progress comes out.

use ffleet_protocol::log::Progress;

/// A line of `-progress` is never longer; what is longer is not ours and is skipped.
const LINE_LIMIT: usize = 4 * 1024;

/// Reads `-progress` output as it comes, in pieces of any size.
#[derive(Debug, Default)]
pub struct ProgressReader {
    line: Vec<u8>,
    overlong: bool,
    block: Progress,
}

impl ProgressReader {
    /// Takes the next bytes; the newest complete report in them, if one was completed.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Progress> {
        let mut newest = None;
        for &byte in bytes {
            if byte != b'\n' {
                if self.line.len() < LINE_LIMIT {
                    self.line.push(byte);
                } else {
                    self.overlong = true;
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.overlong) {
                continue;
            }
            if let Some(report) = self.line(&String::from_utf8_lossy(&line)) {
                newest = Some(report);
            }
        }
        newest
    }

    fn line(&mut self, line: &str) -> Option<Progress> {
        let (key, value) = line.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        let block = &mut self.block;
        // `N/A` parses as nothing, and then nothing is known: an older value would be a guess.
        match key {
            "frame" => block.frame = value.parse().ok(),
            "fps" => block.fps = number(value),
            "bitrate" => block.bitrate = value.strip_suffix("kbits/s").and_then(kilobits),
            "total_size" => block.size = value.parse().ok(),
            "out_time_us" => block.out_time_us = value.parse().ok(),
            "speed" => block.speed = value.strip_suffix('x').and_then(number),
            // The last line of every block: `continue` or `end`.
            "progress" => return Some(std::mem::take(block)),
            _ => {}
        }
        None
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

fn kilobits(text: &str) -> Option<f64> {
    number(text).map(|kbits| kbits * 1000.0).filter(|bits| bits.is_finite())
}

/// Adds what follows from the length of the whole: percent, and the seconds left at this speed.
#[must_use]
pub fn with_duration(mut progress: Progress, duration_us: Option<i64>) -> Progress {
    let Some(duration) = duration_us.filter(|us| *us > 0) else { return progress };
    progress.duration_us = Some(duration);
    let Some(done) = progress.out_time_us else { return progress };
    let done = done.clamp(0, duration);
    #[expect(clippy::cast_precision_loss, reason = "microseconds of media fit an f64 for 285 years")]
    let (part, left_s) = (done as f64 / duration as f64, (duration - done) as f64 / 1e6);
    progress.percent = Some((part * 1000.0).round() / 10.0);
    // Nearly standing still, it would be longer than a number can say.
    progress.eta_s =
        progress.speed.filter(|speed| *speed > 0.0).map(|speed| left_s / speed).filter(|left| left.is_finite());
    progress
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What ffmpeg 5.1 writes.
    const REAL: &str = "frame=50\nfps=24.97\nstream_0_0_q=-1.0\nbitrate= 851.9kbits/s\ntotal_size=215732\n\
        out_time_us=2020136\nout_time_ms=2020136\nout_time=00:00:02.020136\ndup_frames=0\ndrop_frames=0\n\
        speed=3.16e+03x\nprogress=continue\n";
    const EARLY: &str = "frame=0\nfps=0.00\nstream_0_0_q=-1.0\nbitrate=N/A\ntotal_size=N/A\nout_time_us=N/A\n\
        out_time_ms=N/A\nout_time=N/A\ndup_frames=0\ndrop_frames=0\nspeed=N/A\nprogress=end\n";

    fn real() -> Progress {
        Progress {
            frame: Some(50),
            fps: Some(24.97),
            bitrate: Some(851_900.0),
            size: Some(215_732),
            out_time_us: Some(2_020_136),
            speed: Some(3160.0),
            ..Progress::default()
        }
    }

    #[test]
    fn a_block_is_read_when_it_is_complete() {
        let mut reader = ProgressReader::default();
        let (head, end) = REAL.split_at(REAL.len() - 1);
        assert_eq!(reader.feed(head.as_bytes()), None);
        assert_eq!(reader.feed(end.as_bytes()), Some(real()));
    }

    #[test]
    fn what_is_not_available_is_absent() {
        let report = ProgressReader::default().feed(EARLY.as_bytes());
        assert_eq!(report, Some(Progress { frame: Some(0), fps: Some(0.0), ..Progress::default() }));
    }

    #[test]
    fn numbers_beyond_all_measure_are_absent() {
        let text = "bitrate=1e308kbits/s\nfps=1e400\nspeed=-infx\nprogress=continue\n";
        assert_eq!(ProgressReader::default().feed(text.as_bytes()), Some(Progress::default()));
    }

    #[test]
    fn nonsense_is_skipped() {
        let mut reader = ProgressReader::default();
        let long = "x".repeat(100_000);
        let text = format!("no equals\n=\nframe=abc\nfps=nan\n{long}\nspeed=x\n\u{fffd}=1\nprogress=continue\n");
        assert_eq!(reader.feed(text.as_bytes()), Some(Progress::default()));
        assert_eq!(reader.feed(REAL.as_bytes()), Some(real()));
    }

    #[test]
    fn percent_and_time_left_follow_from_the_length() {
        let half = Progress { out_time_us: Some(5_000_000), speed: Some(2.0), ..Progress::default() };
        let told = with_duration(half.clone(), Some(10_000_000));
        assert_eq!((told.percent, told.eta_s, told.duration_us), (Some(50.0), Some(2.5), Some(10_000_000)));
        assert_eq!(with_duration(half.clone(), None), half);
        assert_eq!(with_duration(half.clone(), Some(0)), half);
        let over = with_duration(half, Some(1));
        assert_eq!((over.percent, over.eta_s), (Some(100.0), Some(0.0)));
        let before = Progress { out_time_us: Some(-40_000), speed: Some(0.0), ..Progress::default() };
        let told = with_duration(before, Some(10));
        assert_eq!((told.percent, told.eta_s), (Some(0.0), None));
        let crawling = Progress { out_time_us: Some(1), speed: Some(1e-300), ..Progress::default() };
        assert_eq!(with_duration(crawling, Some(i64::MAX)).eta_s, None);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(cuts in proptest::collection::vec(1usize..40, 1..30)) {
            let text = format!("{EARLY}{REAL}");
            let mut reader = ProgressReader::default();
            let mut seen = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                seen.extend(reader.feed(now));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(seen.last(), Some(&real()));
        }

        #[test]
        fn no_input_upsets_it(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = ProgressReader::default().feed(&bytes);
        }
    }
}
