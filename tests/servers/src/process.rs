//! A server as a process.

use std::{
    fs::{self, OpenOptions},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User},
};

use crate::{
    PATIENCE,
    folder::{Folder, is_gone},
    programs::PATH,
    waits::{breathe, until},
};

/// How much of a log is shown when something went wrong.
const TAIL: usize = 60;

/// How often a server is started with other ports before it is somebody's fault.
const ATTEMPTS: usize = 5;

/// A server with its data, its log, and its helpers. Dropping it kills them and removes the data.
pub struct Process {
    name: String,
    account: Option<User>,
    /// What it takes as the wish that it ends.
    farewell: Signal,
    child: Mutex<Option<Child>>,
    folder: Folder,
}

/// Why a server did not start.
#[derive(Debug)]
pub(crate) struct Failed {
    why: String,
    /// Whether somebody else has one of its ports.
    port_taken: bool,
}

impl Process {
    /// A place for a server, which is not started yet.
    pub(crate) fn new(name: &str, account: Option<User>, farewell: Signal, last: &str) -> Self {
        let folder = Folder::new(name, account.as_ref(), last);
        Self { name: name.to_owned(), account, farewell, child: Mutex::default(), folder }
    }

    /// The folder of its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command that runs as the server does: in its folder, as its user, and with nothing of our surroundings.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).stdin(Stdio::null());
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", self.folder());
        // A MariaDB that starts removes the temporary tables of all others that have the same folder for them.
        command.env("TMPDIR", self.folder());
        if let Some(account) = &self.account {
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        command
    }

    /// Starts it, which must not run now, and waits until it is ready.
    pub(crate) fn start(&self, command: &mut Command, is_ready: impl FnMut() -> bool) -> Result<(), Failed> {
        let already = self.log().len();
        self.launch(command);
        self.ready(already, is_ready)
    }

    /// Starts it. Signals to the group of the test program do not reach it.
    pub(crate) fn launch(&self, command: &mut Command) {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).expect("a log file");
        let twin = log.try_clone().expect("a file can be shared");
        command.stdin(Stdio::null()).stdout(log).stderr(twin).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        *self.child.lock().unwrap() = Some(child);
    }

    /// Waits until it is ready, or has ended; its log was `already` long before it was started.
    pub(crate) fn ready(&self, already: usize, mut is_ready: impl FnMut() -> bool) -> Result<(), Failed> {
        let begun = Instant::now();
        while !is_ready() {
            let late = begun.elapsed() >= PATIENCE;
            if late || !self.is_alive() {
                let fault = if late { "was not ready in time" } else { "ended instead of becoming ready" };
                let said = self.log_since(already);
                self.kill9();
                let why = format!("{} {fault}; it said:\n{}", self.name, tail(&said));
                return Err(Failed { why, port_taken: names_a_port(&said) });
            }
            breathe();
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&self) {
        until(&format!("{} has ended; it said:\n{}", self.name, tail(&self.log())), || !self.is_alive());
    }

    /// Its process id; panics if it was never started.
    #[must_use]
    pub fn pid(&self) -> i32 {
        let child = self.child.lock().unwrap();
        let child = child.as_ref().unwrap_or_else(|| panic!("{} was never started", self.name));
        i32::try_from(child.id()).expect("a process id is small")
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let mut child = self.child.lock().unwrap();
        child.as_mut().is_some_and(|child| child.try_wait().expect("our own child").is_none())
    }

    /// Sends a signal to the server itself; nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) {
        // Under the lock nobody can reap it meanwhile, so the number is still its own.
        let mut child = self.child.lock().unwrap();
        if let Some(child) = child.as_mut()
            && child.try_wait().expect("our own child").is_none()
        {
            let pid = i32::try_from(child.id()).expect("a process id is small");
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Sends a signal to the server and its helpers, and says who they are.
    fn signal_all(&self, signal: Signal) -> Vec<Pid> {
        let members = self.folder.members();
        for pid in &members {
            // Some end meanwhile.
            let _ = kill(*pid, signal);
        }
        members
    }

    /// Kills it and its helpers, as a loss of power would, and waits until they are gone. Its data stays.
    pub fn kill9(&self) {
        self.signal(Signal::SIGKILL);
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            let _ = child.wait();
        }
        let mut dying = Vec::new();
        until(&format!("the helpers of {} are gone", self.name), || {
            let left = self.signal_all(Signal::SIGKILL);
            dying.retain(|pid| !is_gone(*pid));
            dying.extend(&left);
            dying.is_empty()
        });
    }

    /// Stops its time and that of its helpers: its connections stay open, and nothing answers.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        self.signal_all(Signal::SIGSTOP);
    }

    /// Lets its time go on.
    pub fn resume(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    /// Asks it to end in order, and waits until it has. One that is paused goes on first.
    pub fn terminate(&self) {
        self.resume();
        self.signal(self.farewell);
        self.ended();
        // What it leaves behind would be in the way of the next start.
        self.kill9();
    }

    /// What it has said since its first start.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// What it has said since its log was `already` long.
    pub(crate) fn log_since(&self, already: usize) -> String {
        self.log().get(already..).unwrap_or_default().to_owned()
    }

    /// The memory that it and its helpers have resident, in bytes. What they share counts once.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let resident = |pid: &Pid| {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
        };
        self.folder.members().iter().map(resident).sum()
    }

    /// A new file in its folder that it can read, and nobody else.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        fs::write(&path, text).expect("our own folder");
        self.give(&path, 0o600);
        path
    }

    /// Makes a file its own.
    fn give(&self, path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
        if let Some(account) = &self.account {
            nix::unistd::chown(path, Some(account.uid), Some(account.gid)).expect("we are root");
        }
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("log")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {} said at the end:\n{}", self.name, tail(&self.log()));
        }
        // The folder takes care of everybody; this one would be a zombie.
        if let Some(child) = self.child.lock().unwrap_or_else(|lock| lock.into_inner()).as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Failed {
    /// Fails the test.
    pub(crate) fn panic<T>(self) -> T {
        panic!("{}", self.why)
    }
}

/// Whether a server complains that somebody else has its port, each in its own words.
fn names_a_port(said: &str) -> bool {
    let said = said.to_lowercase();
    let words =
        ["address already in use", "eaddrinuse", "address in use", "port is already in use", "in use by another"];
    words.iter().any(|words| said.contains(words))
}

/// Starts a server with new ports until they are its own.
pub(crate) fn start_anew<T>(mut start: impl FnMut() -> Result<T, Failed>) -> T {
    for _ in 1..ATTEMPTS {
        match start() {
            Err(failed) if failed.port_taken => {}
            Err(failed) => failed.panic(),
            Ok(server) => return server,
        }
    }
    start().unwrap_or_else(Failed::panic)
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
