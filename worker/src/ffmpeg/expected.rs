//! How long the result of an FFmpeg command will be: the length of its first input, cut as its options say. Where several
//! outputs or repeated options leave room for doubt, nothing is expected, and people see no percentage.

use std::ffi::OsString;

/// What the options say about the length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cuts {
    input: Cut,
    output: Cut,
}

/// The options of one file, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cut {
    start: Option<i64>,
    length: Option<i64>,
    end: Option<i64>,
    from_end: Option<i64>,
}

impl Cut {
    /// Takes one option; false when it came before or cannot be understood.
    fn take(&mut self, option: Limit, value: &str) -> bool {
        let place = match option {
            Limit::Start => &mut self.start,
            Limit::Length => &mut self.length,
            Limit::End => &mut self.end,
            Limit::FromEnd => &mut self.from_end,
        };
        let value = parse_time(value);
        let fresh = place.is_none() && value.is_some();
        *place = value;
        fresh
    }

    /// What is left of something so long; of something endless with a limit, the limit.
    fn of(self, whole: Option<i64>) -> Option<i64> {
        let start = match (self.start, self.from_end, whole) {
            (Some(start), _, _) => start.max(0),
            (None, Some(back), Some(whole)) => (whole + back).max(0),
            (None, Some(_), None) => return None,
            (None, None, _) => 0,
        };
        let left = whole.map(|whole| (whole - start).max(0));
        let limit = match (self.length, self.end) {
            (Some(length), _) => Some(length),
            (None, Some(end)) => Some((end - start).max(0)),
            (None, None) => None,
        };
        match (left, limit) {
            (Some(left), Some(limit)) => Some(left.min(limit)),
            (one, other) => one.or(other),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    Start,
    Length,
    End,
    FromEnd,
}

impl Limit {
    fn of(arg: &str) -> Option<Self> {
        match arg {
            "-ss" => Some(Self::Start),
            "-t" => Some(Self::Length),
            "-to" => Some(Self::End),
            "-sseof" => Some(Self::FromEnd),
            _ => None,
        }
    }
}

impl Cuts {
    /// Reads a command's options about length; none where they are doubtful.
    #[must_use]
    pub fn read(args: &[OsString]) -> Option<Self> {
        let mut cuts = Self::default();
        let mut current = Cut::default();
        let mut inputs = 0;
        let mut args = args.iter().map(|arg| arg.to_str().unwrap_or_default());
        while let Some(arg) = args.next() {
            if arg == "-i" {
                inputs += 1;
                if inputs == 1 {
                    cuts.input = current;
                }
                current = Cut::default();
                args.next();
            } else if let Some(option) = Limit::of(arg)
                && !current.take(option, args.next().unwrap_or_default())
            {
                return None;
            }
        }
        cuts.output = current;
        (inputs > 0).then_some(cuts)
    }

    /// The length of the result in microseconds, when the first input is so long (unknown: none).
    #[must_use]
    pub fn expected(self, input: Option<i64>) -> Option<i64> {
        self.output.of(self.input.of(input)).filter(|us| *us > 0)
    }
}

/// FFmpeg's time duration syntax: `[-][HH:]MM:SS[.m…]` or `[-]S+[.m…][s|ms|us]`.
fn parse_time(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let seconds = if rest.contains(':') {
        let mut total = 0.0;
        let mut parts = 0;
        for part in rest.split(':') {
            total = total * 60.0 + plain(part)?;
            parts += 1;
        }
        (parts <= 3).then_some(total)?
    } else if let Some(us) = rest.strip_suffix("us") {
        plain(us)? / 1e6
    } else if let Some(ms) = rest.strip_suffix("ms") {
        plain(ms)? / 1e3
    } else {
        plain(rest.strip_suffix('s').unwrap_or(rest))?
    };
    microseconds(seconds).map(|us| sign * us)
}

fn plain(text: &str) -> Option<f64> {
    text.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| text.parse().ok()).flatten()
}

/// Seconds as whole microseconds, where they are a length at all.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before the cast")]
pub(super) fn microseconds(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && seconds.abs() < 1e12).then(|| (seconds * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(command: &str, input_s: Option<i64>) -> Option<i64> {
        let args: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        Cuts::read(&args)?.expected(input_s.map(|s| s * 1_000_000)).map(|us| us / 1000)
    }

    #[test]
    fn options_cut_the_input() {
        for (command, input_s, expected_ms) in [
            ("-i a b", Some(10), Some(10_000)),
            ("-i a b", None, None),
            ("-ss 4 -i a b", Some(10), Some(6_000)),
            ("-ss 4 -t 3 -i a b", Some(10), Some(3_000)),
            ("-ss 4 -to 6.5 -i a b", Some(10), Some(2_500)),
            ("-sseof -3 -i a b", Some(10), Some(3_000)),
            ("-i a -t 00:00:02.5 b", Some(10), Some(2_500)),
            ("-i a -ss 1 -t 90 b", Some(10), Some(9_000)),
            ("-i a -ss 1:00 b", Some(90), Some(30_000)),
            ("-f lavfi -t 5 -i testsrc b", None, Some(5_000)),
            ("-f lavfi -i testsrc -t 1500ms b", None, Some(1_500)),
            ("-i a -i b -t 200000us c", Some(10), Some(200)),
            ("-ss 20 -i a b", Some(10), None),
            // Two outputs, each with its own length; or no time at all.
            ("-i a -t 1 b -t 2 c", Some(10), None),
            ("-i a -t abc b", Some(10), None),
            ("-i a -t", Some(10), None),
            ("-version", Some(10), None),
        ] {
            assert_eq!(expected(command, input_s), expected_ms, "{command}");
        }
    }

    #[test]
    fn times_are_read_as_ffmpeg_reads_them() {
        for (text, us) in [
            ("55", Some(55_000_000)),
            ("0.2", Some(200_000)),
            ("200ms", Some(200_000)),
            ("12:03:45", Some(43_425_000_000)),
            ("-1:30", Some(-90_000_000)),
            ("1e3", None),
            ("1:2:3:4", None),
            ("", None),
            ("-", None),
            ("x", None),
        ] {
            assert_eq!(parse_time(text), us, "{text}");
        }
    }
}
