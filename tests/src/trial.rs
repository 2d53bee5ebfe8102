//! A coordinator that is tried with a configuration, and what it says to that.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    Process,
    places::program,
    setup::{clean, folder},
};

/// A folder with a master key. A process that is still there when it is dropped dies with the test.
pub struct Trial {
    dir: TempDir,
}

impl Trial {
    /// A new one.
    pub async fn start() -> Self {
        let trial = Self { dir: folder() };
        let (code, said) = trial.says("", &["init", "--dir", "."]).await;
        assert_eq!(code, 0, "{said}");
        trial
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file that its owner alone can read.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Runs `ffleet-coordinator ARGS…` with these sections of a configuration, which must not make it serve: its exit code, and
    /// everything that it said.
    pub async fn says(&self, sections: &str, args: &[&str]) -> (i32, String) {
        let key = self.dir().join("master.key");
        let text = format!("listen = \"127.0.0.1:0\"\n\n[master_key]\nfile = {key:?}\n\n{sections}");
        let mut command = clean(&program("ffleet-coordinator"), self.dir());
        command.env("FFLEET_COORDINATOR_CONFIG", self.file("coordinator.toml", &text)).args(args);
        let name = format!("ffleet-coordinator {}", args.join(" "));
        let process = Process::start(&name, &mut command, &self.dir().join("log"));
        let code = process.finished().await.code;
        (code, process.said())
    }

    /// The same, for what must be refused with this code and all of these words.
    ///
    /// # Panics
    /// When it is not.
    pub async fn refuses(&self, sections: &str, args: &[&str], code: i32, words: &[&str]) {
        let (ended, said) = self.says(sections, args).await;
        let missing: Vec<_> = words.iter().filter(|words| !said.contains(**words)).collect();
        assert!(
            ended == code && missing.is_empty(),
            "{sections}\nended with {ended}, without {missing:?}; it said:\n{said}"
        );
    }
}
