//! The section `[dropin]` of `ffleet.toml`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::Program;

/// How ffleet behaves under the name of FFmpeg's programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dropin {
    /// Whether to say on standard error what ffleet itself does: job, worker, warnings.
    pub verbose: bool,
    /// Priority of its jobs; somebody waits for them.
    pub priority: i32,
    /// For how many seconds coordinators are asked before a local program takes over.
    pub fallback_after_s: u64,
    /// Local programs that take over when no coordinator answers.
    pub fallback: Fallback,
}

/// Local programs, by absolute path. None, or an empty path: nothing takes over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fallback {
    /// In the place of `ffmpeg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffmpeg: Option<PathBuf>,
    /// In the place of `ffprobe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffprobe: Option<PathBuf>,
}

impl Default for Dropin {
    fn default() -> Self {
        Self { verbose: false, priority: 0, fallback_after_s: 2, fallback: Fallback::default() }
    }
}

impl Dropin {
    /// The local program that takes over for this one, if there is to be any.
    pub fn fallback(&self, program: Program) -> anyhow::Result<Option<&Path>> {
        let path = match program {
            Program::Ffmpeg => self.fallback.ffmpeg.as_deref(),
            Program::Ffprobe => self.fallback.ffprobe.as_deref(),
        };
        let path = path.filter(|path| !path.as_os_str().is_empty());
        if let Some(relative) = path.filter(|path| path.is_relative()) {
            bail!(
                "dropin.fallback.{program} = {relative:?}: give the absolute path of the local {program}, such as \
                 /usr/bin/{program}"
            );
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fallback_is_an_absolute_path_or_none() {
        let with = |path: &str| {
            let fallback = Fallback { ffmpeg: Some(path.into()), ffprobe: None };
            Dropin { fallback, ..Dropin::default() }
        };
        let asked = |path: &str| {
            let found = with(path).fallback(Program::Ffmpeg).map(|path| path.map(Path::to_owned));
            found.map_err(|error| error.to_string())
        };
        assert_eq!(asked("/usr/bin/ffmpeg"), Ok(Some(PathBuf::from("/usr/bin/ffmpeg"))));
        assert_eq!(asked(""), Ok(None));
        assert!(asked("ffmpeg").unwrap_err().contains("dropin.fallback.ffmpeg"));
        assert!(with("/x").fallback(Program::Ffprobe).unwrap().is_none());
    }
}
