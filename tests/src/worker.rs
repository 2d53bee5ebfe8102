//! A worker of the fleet.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{Arc, Mutex},
};

use ffleet_protocol::id::WorkerId;
use nix::sys::signal::Signal;
use url::Url;

use crate::{Process, Proxy, certificates, fleet::key_path, gate::until, places::program, setup::clean};

/// A worker before it starts. It runs the fake encoder as `ffmpeg` and the real ffprobe as `ffprobe`.
pub struct WorkerSetup {
    name: String,
    slots: u32,
    tags: Vec<String>,
    real: bool,
    more: String,
    paths: String,
    via: Vec<Url>,
    state_dir: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

impl WorkerSetup {
    /// A worker with this name, one slot and `$Media`, which lies under a name of the worker's own.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (more, paths) = (String::new(), String::new());
        Self {
            name: name.to_owned(),
            slots: 1,
            tags: Vec::new(),
            real: false,
            more,
            paths,
            via: Vec::new(),
            state_dir: None,
            ca_file: None,
        }
    }

    /// How many tasks it runs at once.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    /// Runs the real FFmpeg.
    #[must_use]
    pub fn real_ffmpeg(mut self) -> Self {
        self.real = true;
        self
    }

    /// Adds sections to its configuration.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.more.push_str(toml);
        self.more.push('\n');
        self
    }

    /// Adds a path variable.
    #[must_use]
    pub fn path(mut self, variable: &str, folder: &Path) -> Self {
        self.paths.push_str(&format!("{variable} = {:?}\n", folder.to_str().unwrap()));
        self
    }

    /// Reaches the coordinators through this proxy, or through several of them, and in no other way.
    #[must_use]
    pub fn via(mut self, proxy: &Proxy) -> Self {
        self.via.push(proxy.url());
        self
    }

    /// Keeps its state in this folder.
    #[must_use]
    pub fn state_dir(mut self, folder: &Path) -> Self {
        self.state_dir = Some(folder.to_owned());
        self
    }

    /// Trusts the authority of this file, and not that of the fleet.
    #[must_use]
    pub fn ca_file(mut self, file: &Path) -> Self {
        self.ca_file = Some(file.to_owned());
        self
    }

    fn write(&self, dir: &Path, direct: Vec<Url>) -> PathBuf {
        let urls = if self.via.is_empty() { direct } else { self.via.clone() };
        let urls: Vec<_> = urls.iter().map(Url::as_str).collect();
        let home = dir.join("workers").join(&self.name);
        fs::create_dir_all(home.join("state")).unwrap();
        let media = home.join(format!("mnt-{}", self.name));
        if !media.exists() {
            symlink(dir.join("studio"), &media).unwrap();
        }
        let fake = dir.join("bin/fake-ffmpeg");
        if !fake.exists() {
            // A name inside the fleet's folder tells its processes from those of another fleet.
            symlink(program("fake-ffmpeg"), &fake).unwrap();
        }
        // What the leases of SHORT_LEASES leave time for.
        let more = if self.more.is_empty() { "[stop]\nforced_s = 1\n" } else { &self.more };
        let ffmpeg = if self.real { find("ffmpeg") } else { fake };
        let text = format!(
            "id = {name:?}\ncoordinators = {urls:?}\nkey_file = {key:?}\n{ca}slots = {slots}\ntags = {tags:?}\n\
             state_dir = {state:?}\n\n[paths]\nMedia = {media:?}\n{paths}\n\
             [programs]\nffmpeg = {ffmpeg:?}\nffprobe = {ffprobe:?}\n\n{more}",
            name = self.name,
            key = key_path(dir, "farm"),
            ca = certificates::ca_file(self.ca_file.clone().or_else(|| certificates::authority(dir)).as_deref()),
            slots = self.slots,
            tags = self.tags,
            state = self.state_dir.clone().unwrap_or_else(|| home.join("state")),
            paths = self.paths,
            ffprobe = find("ffprobe"),
        );
        let path = home.join("worker.toml");
        fs::write(&path, text).unwrap();
        path
    }
}

/// A program in `PATH`.
fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; run `cargo xtask prepare`"))
}

/// A worker; clones are the same one. A restart is the same worker with a new incarnation.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    name: String,
    dir: PathBuf,
    config: PathBuf,
    process: Mutex<Process>,
}

impl Worker {
    pub(crate) async fn start(dir: &Path, setup: &WorkerSetup, urls: Vec<Url>) -> Self {
        let config = setup.write(dir, urls);
        let process = run(dir, &setup.name, &config);
        let worker = Self(Arc::new(Inner {
            name: setup.name.clone(),
            dir: dir.to_owned(),
            config,
            process: Mutex::new(process),
        }));
        worker.registered().await;
        worker
    }

    /// Starts the command that tries a configuration.
    pub(crate) fn check(dir: &Path, setup: &WorkerSetup, urls: Vec<Url>) -> Process {
        let config = setup.write(dir, urls);
        let mut command = clean(&program("ffleet-worker"), dir);
        command.env("FFLEET_WORKER_CONFIG", config).arg("check");
        Process::start("ffleet-worker check", &mut command, &dir.join("logs/checks.log"))
    }

    async fn registered(&self) {
        self.process().says(&format!("registered as {}", self.0.name)).await;
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> WorkerId {
        WorkerId::new(self.0.name.clone()).unwrap()
    }

    /// The process it is now.
    #[must_use]
    pub fn process(&self) -> Process {
        self.0.process.lock().unwrap().clone()
    }

    /// Kills it without a word.
    pub async fn kill9(&self) {
        self.process().kill9().await;
    }

    /// Waits until the end of an attempt lies on its disk, still to be told. Nobody else knows of it, so this looks again
    /// and again.
    pub async fn keeps_a_report(&self) {
        let folder = self.0.dir.join("workers").join(&self.0.name).join("state/reports");
        let kept = || fs::read_dir(&folder).into_iter().flatten().flatten();
        let whole = |entry: fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "json");
        until("a kept report", || kept().any(whole)).await;
    }

    /// Its disk loses what could not be sent; gives how many files that were.
    #[must_use]
    pub fn lose_spools(&self) -> usize {
        let folder = self.0.dir.join("workers").join(&self.0.name).join("state/spool");
        let files: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
        files.iter().for_each(|file| fs::remove_file(file.path()).unwrap());
        files.len()
    }

    /// Asks it to finish what runs and leave; see [`Process::ended`].
    pub fn drain(&self) {
        self.process().signal(Signal::SIGTERM);
    }

    /// Asks it to leave and waits until it has.
    pub async fn term(&self) -> ExitStatus {
        self.process().term().await
    }

    /// Starts it again after it has ended, and waits until it has registered.
    pub async fn restart(&self) {
        self.relaunch();
        self.registered().await;
    }

    /// Starts it again after it has ended, without waiting for anything.
    pub fn relaunch(&self) {
        assert!(!self.process().is_alive(), "{} still runs", self.0.name);
        *self.0.process.lock().unwrap() = run(&self.0.dir, &self.0.name, &self.0.config);
    }
}

fn run(dir: &Path, name: &str, config: &Path) -> Process {
    let mut command = clean(&program("ffleet-worker"), dir);
    command.env("FFLEET_WORKER_CONFIG", config);
    Process::start(name, &mut command, &dir.join("logs").join(format!("{name}.log")))
}
