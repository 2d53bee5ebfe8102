//! What the worker adds to an FFmpeg command: where progress goes, and an answer to "Overwrite?".
//!
//! `-nostdin` is never added, because it makes `q` deaf. FFmpeg asks before it overwrites as long as its standard input
//! is open, and nobody would answer: so a first attempt runs with `-n`, and one after an attempt of ours with `-y`, whose
//! half file is not a stranger's.

use std::{ffi::OsString, os::unix::ffi::OsStrExt, path::Path};

/// What a command says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// It sends its progress somewhere itself.
    pub progress: bool,
    /// It answers "Overwrite?" itself, with `-y` or `-n`.
    pub overwrite: bool,
    /// It reads no commands from standard input, so that `q` would not be heard.
    pub deaf: bool,
}

/// Looks through a command for what matters here.
#[must_use]
pub fn said(args: &[OsString]) -> Said {
    let has = |options: &[&str]| args.iter().any(|arg| options.iter().any(|option| arg == option));
    Said { progress: has(&["-progress"]), overwrite: has(&["-y", "-n"]), deaf: has(&["-nostdin"]) }
}

/// The arguments of an FFmpeg command as they are run. `progress_fd` is the inherited file descriptor that takes
/// progress; `rerun` tells that an earlier attempt of the task may have begun the outputs.
#[must_use]
pub fn complete(args: Vec<OsString>, progress_fd: Option<i32>, rerun: bool) -> Vec<OsString> {
    let said = said(&args);
    let mut all = Vec::with_capacity(args.len() + 3);
    if !said.overwrite {
        all.push(OsString::from(if rerun { "-y" } else { "-n" }));
    }
    if let Some(fd) = progress_fd.filter(|_| !said.progress) {
        all.extend([OsString::from("-progress"), OsString::from(format!("pipe:{fd}"))]);
    }
    all.extend(args);
    all
}

/// The arguments after `-i`, in order, with a `file:` before them taken away.
#[must_use]
pub fn inputs(args: &[OsString]) -> Vec<&Path> {
    args.windows(2)
        .filter(|pair| pair[0] == "-i")
        .map(|pair| {
            let bytes = pair[1].as_bytes();
            Path::new(std::ffi::OsStr::from_bytes(bytes.strip_prefix(b"file:").unwrap_or(bytes)))
        })
        .collect()
}

/// The command that asks ffprobe for the length of a local file. It may open nothing but files.
#[must_use]
pub fn probe_duration(input: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "error", "-protocol_whitelist", "file,crypto,data"].map(OsString::from).into();
    args.extend(["-show_entries", "format=duration", "-of", "default=noprint_wrappers=1:nokey=1"].map(OsString::from));
    let mut file = OsString::from("file:");
    file.push(input);
    args.extend([OsString::from("-i"), file]);
    args
}

/// What ffprobe answered to [`probe_duration`], in microseconds.
#[must_use]
pub fn probed_duration(stdout: &[u8]) -> Option<i64> {
    let seconds: f64 = std::str::from_utf8(stdout).ok()?.trim().parse().ok()?;
    super::expected::microseconds(seconds).filter(|us| *us > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn additions_depend_on_what_the_command_says() {
        let first = complete(os(&["-i", "/m/a.mkv", "/m/b.mp4"]), Some(9), false);
        assert_eq!(first, os(&["-n", "-progress", "pipe:9", "-i", "/m/a.mkv", "/m/b.mp4"]));
        let again = complete(os(&["-i", "/m/a.mkv", "/m/b.mp4"]), None, true);
        assert_eq!(again, os(&["-y", "-i", "/m/a.mkv", "/m/b.mp4"]));
        for own in [vec!["-y", "-progress", "p.txt", "-i", "a", "b"], vec!["-i", "a", "-n", "-progress", "-", "b"]] {
            assert_eq!(complete(os(&own), Some(9), true), os(&own));
        }
        assert!(said(&os(&["-nostdin"])).deaf && !said(&os(&["-y"])).deaf);
    }

    #[test]
    fn inputs_are_what_follows_i() {
        let args = os(&["-f", "lavfi", "-i", "testsrc", "-i", "file:/m/a b.mkv", "-c", "copy", "out.mp4", "-i"]);
        assert_eq!(inputs(&args), [Path::new("testsrc"), Path::new("/m/a b.mkv")]);
    }

    #[test]
    fn ffprobes_answer_is_read() {
        assert_eq!(probed_duration(b"10.005000\n"), Some(10_005_000));
        for nothing in ["N/A\n", "", "-1", "0", "nan", "inf"] {
            assert_eq!(probed_duration(nothing.as_bytes()), None, "{nothing}");
        }
    }
}
