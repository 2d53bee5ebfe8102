//! The jobs of a run: what their programs do, and how they may end.

use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::spec;
use ffleet_protocol::job::JobSpec;

/// What a job's program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Takes some time, and signs its output.
    Encode { ms: u64 },
    /// Says many lines, and signs its output.
    Lines { count: u64 },
    /// Tells progress and status lines that overwrite each other.
    Progress { count: u64 },
    /// Writes bytes to standard output; may be run again or not.
    Stdout { seed: u64, bytes: u64, rerun: bool },
    /// Floods stderr.
    Flood { kib: u64, overwriting: bool },
    /// Ends by a signal.
    Crash { signal: i32 },
    /// Ends with a code.
    Exit { code: u8 },
    /// Ends with a code that is worth another try.
    Retry { code: u8 },
    /// Hangs until its client cancels it, deaf to everything but a kill or not.
    Hang { deaf: bool },
    /// Is canceled by its client at a moment when it may or may not have ended.
    Race { ms: u64 },
    /// A real encode of a second.
    Real,
}

/// How the program ends if nobody disturbs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// With this status and this class of failure.
    As(&'static str, Option<&'static str>),
    /// Completed or canceled.
    EitherWay,
}

impl Work {
    /// Any work.
    pub(super) fn any(rng: &mut StdRng, by_program: bool) -> Self {
        // The program's exit code says how the job ended; cancels are the library's part.
        let kinds = if by_program { 8 } else { 11 };
        match rng.random_range(0..kinds + 3_u32) {
            0 => Self::Lines { count: rng.random_range(1..3_000) },
            1 => Self::Progress { count: rng.random_range(1..400) },
            2 => Self::Stdout { seed: rng.random(), bytes: rng.random_range(1..200_000), rerun: rng.random() },
            3 => Self::Flood { kib: rng.random_range(64..1_024), overwriting: rng.random() },
            4 => Self::Crash { signal: if rng.random() { 9 } else { 11 } },
            5 => Self::Exit { code: rng.random_range(1..120) },
            6 => Self::Retry { code: rng.random_range(1..120) },
            7 => Self::Real,
            8 if !by_program => Self::Hang { deaf: rng.random_bool(0.3) },
            9 | 10 if !by_program => Self::Race { ms: rng.random_range(0..600) },
            _ => Self::Encode { ms: rng.random_range(500..5_000) },
        }
    }

    /// The arguments, for the fake encoder or for the real one.
    fn args(self, number: usize) -> Vec<String> {
        let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let record = "-fake-record $Media/chaos/diary";
        let sign = format!("-fake-sign $Media/chaos/{number}.sign");
        words(match self {
            Self::Encode { ms } => format!("{record} -fake-work {ms} {sign}"),
            Self::Lines { count } => format!("{record} -fake-lines {count} {sign}"),
            Self::Progress { count } => format!("{record} -fake-status {count} -fake-progress {count} {sign}"),
            Self::Stdout { seed, bytes, .. } => format!("{record} -fake-bytes {seed}:{bytes} -fake-work 300"),
            Self::Flood { kib, overwriting: false } => format!("{record} -fake-flood {}", kib * 1_024),
            Self::Flood { kib, overwriting: true } => format!("{record} -fake-flood-cr {}", kib * 1_024),
            Self::Crash { signal } => format!("{record} -fake-work 200 -fake-signal {signal}"),
            Self::Exit { code } | Self::Retry { code } => format!("{record} -fake-work 100 -fake-exit {code}"),
            Self::Hang { deaf: false } => format!("{record} -fake-hang"),
            Self::Hang { deaf: true } => {
                format!("{record} -fake-ignore-q -fake-ignore-int -fake-ignore-term -fake-hang")
            }
            Self::Race { ms } => format!("{record} -fake-work {ms}"),
            Self::Real => format!(
                "-v error -y -f lavfi -i testsrc2=size=160x90:rate=25:duration=1 -c:v mpeg4 $Media/chaos/{number}.mkv"
            ),
        })
    }

    /// What its workers must have: the real encoder knows nothing of steps.
    fn tag(self) -> &'static str {
        if self == Self::Real { "real" } else { "fake" }
    }

    /// The job, with its number as a label.
    pub(super) fn spec(self, number: usize) -> JobSpec {
        let mut more = json!({ "labels": { "chaos": number.to_string() }, "needs": { "tags": [self.tag()] } });
        let mut add = |key: &str, value: Value| more[key] = value;
        match self {
            Self::Retry { code } => add("retry", json!({ "retries": 1, "on": [{ "exit_code": code }] })),
            Self::Stdout { rerun, .. } => add("rerun_stdout", json!(rerun)),
            _ => {}
        }
        spec(self.args(number), more)
    }

    /// The same as `ffleet submit …`.
    pub(super) fn command_line(self, number: usize, media: &str) -> Vec<String> {
        let mut line: Vec<_> = ["submit", "--tag", self.tag(), "--label"].map(str::to_owned).into();
        line.push(format!("chaos={number}"));
        match self {
            Self::Retry { code } => line.extend(["--retries=1".to_owned(), format!("--retry-on=exit:{code}")]),
            Self::Stdout { rerun: true, .. } => line.push("--rerun-stdout".to_owned()),
            _ => {}
        }
        line.push("--".to_owned());
        line.extend(self.args(number).into_iter().map(|arg| arg.replace("$Media", media)));
        line
    }

    /// Whether it makes a file that names the attempt.
    pub(super) fn signs(self) -> bool {
        matches!(self, Self::Encode { .. } | Self::Lines { .. } | Self::Progress { .. })
    }

    /// Whether its client cancels it, and whether only once it runs.
    pub(super) fn canceled(self) -> Option<bool> {
        match self {
            Self::Hang { .. } => Some(true),
            Self::Race { .. } => Some(false),
            _ => None,
        }
    }

    /// Whether its standard output is held back until an attempt has ended well.
    pub(super) fn reruns(self) -> bool {
        matches!(self, Self::Stdout { rerun: true, .. })
    }

    /// The bytes it writes to standard output.
    pub(super) fn stdout(self) -> Option<Vec<u8>> {
        match self {
            Self::Stdout { seed, bytes, .. } => Some(crate::noise(seed, bytes)),
            _ => None,
        }
    }

    /// How it ends if nobody disturbs it.
    pub(super) fn ends(self) -> Ends {
        match self {
            Self::Crash { .. } => Ends::As("failed", Some("signaled")),
            Self::Exit { .. } | Self::Retry { .. } => Ends::As("failed", Some("exit_code")),
            Self::Hang { .. } => Ends::As("canceled", None),
            Self::Race { .. } => Ends::EitherWay,
            _ => Ends::As("completed", None),
        }
    }

    /// Whether it is the encoder that misbehaves, and how.
    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::Flood { .. } => Some("encoder floods"),
            Self::Crash { .. } => Some("encoder crashes"),
            Self::Exit { .. } | Self::Retry { .. } => Some("encoder fails"),
            Self::Hang { deaf: false } => Some("encoder hangs"),
            Self::Hang { deaf: true } => Some("encoder hangs and is deaf"),
            _ => None,
        }
    }
}
