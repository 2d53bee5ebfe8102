//! The program `ffleet`, run as somebody at the client's machine would.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{Fleet, Process, Proxy, Terminal, places::program, process::Input, setup::clean};

/// An `ffleet` command before it runs.
pub struct Cli<'a> {
    fleet: &'a Fleet,
    command: Command,
    name: String,
    input: Input,
}

/// An `ffleet` command that is over.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code, or 128 and the signal that ended it.
    pub code: i32,
    /// Its standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

impl Fleet {
    /// `ffleet ARGS…` as `studio`, in the media folder.
    #[must_use]
    pub fn ffleet<A: AsRef<str>>(&self, args: impl IntoIterator<Item = A>) -> Cli<'_> {
        self.ffleet_as("studio", args)
    }

    /// The same as another account.
    #[must_use]
    pub fn ffleet_as<A: AsRef<str>>(&self, account: &str, args: impl IntoIterator<Item = A>) -> Cli<'_> {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Cli::new(self, &self.client_config(account), &args)
    }

    /// `ffmpeg ARGS…` or `ffprobe ARGS…` as `studio`, in the media folder, where that is another name of ffleet.
    #[must_use]
    pub fn dropin<A: AsRef<str>>(&self, name: &str, args: impl IntoIterator<Item = A>) -> Cli<'_> {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Cli::of(self, &self.client_config("studio"), &self.dropin_path(name), &args)
    }

    /// Where ffleet lies under another name.
    #[must_use]
    pub fn dropin_path(&self, name: &str) -> PathBuf {
        let folder = self.dir().join("dropin");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        if !path.exists() {
            std::os::unix::fs::symlink(program("ffleet"), &path).unwrap();
        }
        path
    }

    /// `bash -c SCRIPT ARGS…`, for which `ffmpeg` and `ffprobe` are other names of ffleet.
    #[must_use]
    pub fn script<A: AsRef<str>>(&self, script: &str, args: impl IntoIterator<Item = A>) -> Cli<'_> {
        let own = ["-c", script].into_iter().map(str::to_owned);
        let args: Vec<String> = own.chain(args.into_iter().map(|arg| arg.as_ref().to_owned())).collect();
        let names = ["ffmpeg", "ffprobe"].map(|name| self.dropin_path(name));
        let folders = names[0].parent().map(Path::to_owned).into_iter();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&others))).unwrap();
        Cli::of(self, &self.client_config("studio"), Path::new("bash"), &args).env("PATH", path)
    }
}

impl<'a> Cli<'a> {
    pub(crate) fn new(fleet: &'a Fleet, config: &Path, args: &[String]) -> Self {
        let mut command = clean(&program("ffleet"), &fleet.media());
        command.env("FFLEET_CONFIG", config).args(args);
        let first = args.iter().take_while(|arg| *arg != "--").cloned().collect::<Vec<_>>();
        Self { fleet, command, name: format!("ffleet {}", first.join(" ")), input: Input::Nothing }
    }

    /// The program at `path`, which may be ffleet under another name, or call it.
    pub(crate) fn of(fleet: &'a Fleet, config: &Path, path: &Path, args: &[String]) -> Self {
        let mut command = clean(path, &fleet.media());
        command.env("FFLEET_CONFIG", config).args(args);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { fleet, command, name, input: Input::Nothing }
    }

    /// With an open standard input, into which nobody types but [`Process::types`]; without this it is at its end.
    #[must_use]
    pub fn keyboard(mut self) -> Self {
        self.input = Input::Keyboard;
        self
    }

    /// The folder to work in; the client's media folder unless said otherwise.
    #[must_use]
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Reaches the coordinators through these proxies alone.
    #[must_use]
    pub fn via(self, proxies: &[&Proxy]) -> Self {
        let urls: Vec<_> = proxies.iter().map(|proxy| proxy.url().to_string()).collect();
        self.env("FFLEET_COORDINATORS", urls.join(","))
    }

    /// Starts it and does not wait.
    #[must_use]
    pub fn start(mut self) -> Process {
        let log = self.fleet.log_path("clients");
        let process = Process::start_with(&self.name, &mut self.command, &log, self.input);
        self.fleet.remember(process.clone());
        process
    }

    /// Starts it on a terminal of this size.
    #[must_use]
    pub fn on_terminal(self, rows: u16, columns: u16) -> Terminal {
        let log = self.fleet.log_path("terminals");
        let terminal = Terminal::start(&self.name, self.command, &log, rows, columns);
        self.fleet.remember(terminal.process().clone());
        terminal
    }

    /// Runs it to its end.
    pub async fn run(self) -> Ran {
        Ran::of(&self.start()).await
    }
}

impl Ran {
    /// Waits for the end of an `ffleet` that was started before.
    pub async fn of(process: &Process) -> Self {
        let ended = process.finished().await;
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        Self { code: ended.code, stdout: ended.stdout, stderr }
    }

    /// The same for one that may take long.
    pub async fn patiently(process: &Process, patience: Duration) -> Self {
        let ended = tokio::time::timeout(patience, process.end()).await;
        assert!(ended.is_ok(), "{} did not end within {patience:?}; it said:\n{}", process.name(), process.said());
        Self::of(process).await
    }

    /// The same after a Ctrl-C.
    pub async fn interrupted(process: &Process) -> Self {
        process.signal(Signal::SIGINT);
        Self::of(process).await
    }

    /// Its standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("text on stdout")
    }

    /// Its standard output as one JSON value.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// Fails the test unless it ended with this code.
    #[must_use]
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let stdout = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, code, "ended with {}, not {code}\nstderr: {}\nstdout: {stdout}", self.code, self.stderr);
        self
    }
}
