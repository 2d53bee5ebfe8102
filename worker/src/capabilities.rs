//! What this worker has, proven by trying it: programs by running them, path variables by using their directories.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use ffleet_protocol::worker::{Capabilities, Program as Working};
use uuid::Uuid;

use crate::{
    config::Config,
    ffmpeg,
    mounts::{self, Mounts, Proof, Root},
    process::{self, Ended, MarkPrefix, Program, Starter},
};

/// How long a program may take to say its version, and a file system to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest version that is told.
const VERSION_LENGTH: usize = 200;

/// What was proven.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proven {
    /// What coordinators are told.
    pub capabilities: Capabilities,
    /// The directories that work.
    pub mounts: Mounts,
    /// The programs that work.
    pub programs: BTreeMap<String, PathBuf>,
}

impl Proven {
    /// Whether coordinators should be told anew. Free space changes all the time; a little of it is no news.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let plain = |proven: &Self| {
            let mut plain = proven.clone();
            plain.capabilities.variables.values_mut().for_each(|mount| mount.free_bytes = None);
            plain
        };
        let far_apart = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => a.abs_diff(b) > a.max(b) / 8,
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        };
        plain(self) != plain(other)
            || self.capabilities.variables.iter().any(|(name, mount)| {
                other.capabilities.variables.get(name).is_some_and(|then| far_apart(mount.free_bytes, then.free_bytes))
            })
    }
}

/// Tries everything that is configured.
pub async fn prove(config: &Config, starter: &Starter, marks: &MarkPrefix) -> Proven {
    let mut capabilities =
        Capabilities { slots: config.slots.get(), tags: config.tags.clone(), ..Capabilities::default() };
    let mut working = BTreeMap::new();
    for (name, file) in config.programs() {
        match try_program(&name, file.clone(), config, starter, marks).await {
            Ok(version) => {
                capabilities.programs.insert(name.clone(), Working { version });
                working.insert(name, file);
            }
            Err(problem) => capabilities.problems.push(format!("program {name}: {problem}")),
        }
    }
    let mut roots = BTreeMap::new();
    for (name, root) in &config.paths {
        match try_root(root.clone()).await {
            Ok(mount) => {
                capabilities.variables.insert(name.clone(), mount);
                roots.insert(name.clone(), root.clone());
            }
            Err(problem) => capabilities.problems.push(format!("path variable {name}: {problem}")),
        }
    }
    Proven { capabilities, mounts: Mounts::new(roots), programs: working }
}

/// The program's own words about its version.
async fn try_program(
    name: &str,
    file: PathBuf,
    config: &Config,
    starter: &Starter,
    marks: &MarkPrefix,
) -> Result<String, String> {
    let program = Program {
        file: file.clone(),
        args: vec!["-version".into()],
        dir: PathBuf::from("/"),
        environment: process::base_environment(&config.environment),
        mark: marks.mark(&format!("version-{}", Uuid::new_v4())),
        inherited: None,
    };
    let printed = process::printed(starter, program, PATIENCE).await.map_err(|error| error.to_string())?;
    let first_line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        line.map(|line| line.chars().take(VERSION_LENGTH).collect::<String>())
    };
    let said = first_line(&printed.stdout).or_else(|| first_line(&printed.stderr)).unwrap_or_default();
    // Programs other than FFmpeg's need not know `-version`; 126 and 127 are how a program that cannot run at all ends.
    let strict = [ffmpeg::FFMPEG, ffmpeg::FFPROBE].contains(&name);
    let file = file.display();
    match printed.ended {
        None => Err(format!("{file} -version did not end within {} s", PATIENCE.as_secs())),
        Some(Ended::Code(0)) => Ok(said),
        Some(Ended::Code(code)) if !strict && code != 126 && code != 127 => Ok(said),
        Some(Ended::Code(code)) => Err(format!("{file} -version ended with code {code}: {said}")),
        Some(Ended::Signal(signal)) => Err(format!("{file} -version was killed by signal {signal}: {said}")),
    }
}

/// A file system that does not answer holds a thread for as long; it must not hold the worker.
async fn try_root(root: Root) -> Proof {
    let path = root.path.clone();
    match tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(move || mounts::prove(&root))).await {
        Ok(Ok(proof)) => proof,
        Ok(Err(panicked)) => Err(format!("{} could not be tried: {panicked}", path.display())),
        Err(_) => Err(format!("{} did not answer within {} s", path.display(), PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::{template::Variable, worker::Mount};

    use super::*;

    #[test]
    fn a_little_free_space_more_or_less_is_no_news() {
        let proven = |free, slots| {
            let mut proven = Proven::default();
            proven.capabilities.slots = slots;
            let mount = Mount { writable: true, free_bytes: free };
            proven.capabilities.variables.insert(Variable::new("Media").unwrap(), mount);
            proven
        };
        assert!(!proven(Some(1000), 1).differs(&proven(Some(990), 1)));
        assert!(proven(Some(1000), 1).differs(&proven(Some(500), 1)));
        assert!(proven(Some(1000), 1).differs(&proven(None, 1)));
        assert!(proven(Some(1000), 1).differs(&proven(Some(1000), 2)));
        assert!(proven(Some(1000), 1).differs(&Proven::default()));
    }
}
