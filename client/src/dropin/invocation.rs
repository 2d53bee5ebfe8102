//! Telling from the command line whether this is to be ffleet or one of FFmpeg's programs.
//!
//! The arguments of FFmpeg's programs are theirs: nothing after the program's name is looked at here.

use std::{ffi::OsString, fmt, path::Path};

/// A program of FFmpeg's whose place ffleet can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Reads keys from standard input, and ends with 255 on a signal.
    Ffmpeg,
    /// Neither.
    Ffprobe,
}

impl Program {
    /// As the fleet calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ffmpeg => "ffmpeg",
            Self::Ffprobe => "ffprobe",
        }
    }

    fn named(name: &OsString) -> Option<Self> {
        [Self::Ffmpeg, Self::Ffprobe].into_iter().find(|program| name == program.name())
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A call of one of FFmpeg's programs.
#[derive(Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Which.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// ffleet's own name and flags that stood before the program's name, as in `ffleet --config F ffmpeg …`.
    pub before: Vec<OsString>,
}

/// ffleet's flags that take a value in the next argument.
const WITH_VALUE: [&str; 3] = ["--coordinator", "--key-file", "--config"];

impl Invocation {
    /// Looks at a command line; nothing when it is ffleet's own.
    pub fn of(argv: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut argv: Vec<OsString> = argv.into_iter().collect();
        let own = Path::new(argv.first()?).file_name()?.to_owned();
        if let Some(program) = Program::named(&own) {
            return Some(Self { program, args: argv.split_off(1), before: Vec::new() });
        }
        let mut at = 1;
        loop {
            let word = argv.get(at)?;
            if let Some(program) = Program::named(word) {
                let args = argv.split_off(at + 1);
                argv.truncate(at);
                return Some(Self { program, args, before: argv });
            }
            let text = word.to_str()?;
            at += match text.split_once('=') {
                Some((flag, _)) if WITH_VALUE.contains(&flag) => 1,
                None if WITH_VALUE.contains(&text) => 2,
                None if text == "--json" => 1,
                Some(_) | None => return None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(argv: &[&str]) -> Option<(Program, Vec<String>, Vec<String>)> {
        let text = |words: Vec<OsString>| words.into_iter().map(|word| word.into_string().unwrap()).collect();
        let found = Invocation::of(argv.iter().map(OsString::from))?;
        Some((found.program, text(found.args), text(found.before)))
    }

    #[test]
    fn the_name_decides() {
        use Program::{Ffmpeg, Ffprobe};
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (argv, program, args, before) in [
            (&["ffmpeg", "-i", "a"][..], Ffmpeg, &["-i", "a"][..], &[][..]),
            (&["/usr/local/bin/ffprobe"], Ffprobe, &[], &[]),
            (&["ffmpeg", "ffprobe", "--config", "x", "--help"], Ffmpeg, &["ffprobe", "--config", "x", "--help"], &[]),
            (&["ffleet", "ffmpeg", "--json", "-h"], Ffmpeg, &["--json", "-h"], &["ffleet"]),
            (&["x/ffleet", "--config", "f", "ffprobe", "f"], Ffprobe, &["f"], &["x/ffleet", "--config", "f"]),
            (&["ffleet", "--config=f", "--json", "ffmpeg"], Ffmpeg, &[], &["ffleet", "--config=f", "--json"]),
        ] {
            assert_eq!(of(argv), Some((program, owned(args), owned(before))), "{argv:?}");
        }
        for argv in [
            &["ffleet"][..],
            &[],
            &["ffleet", "submit", "ffmpeg"],
            &["ffleet", "--config", "ffmpeg"],
            &["ffleet", "--help", "ffmpeg"],
            &["ffmpeg6", "-i"],
        ] {
            assert_eq!(of(argv), None, "{argv:?}");
        }
    }
}
