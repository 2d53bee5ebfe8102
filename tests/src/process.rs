//! A process of the fleet: everything it says is kept, in memory and in a named log file, and can be waited for.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use nix::{
    sys::{
        prctl::set_pdeathsig,
        signal::{SigHandler, Signal, kill},
    },
    unistd::Pid,
};
use tokio::sync::watch;

use crate::PATIENCE;

/// A started process. Clones are the same process.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

struct Inner {
    name: String,
    pid: Pid,
    /// Its keyboard, where it has one.
    keyboard: Mutex<Option<ChildStdin>>,
    heard: watch::Sender<Heard>,
}

/// What a process finds on its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// The end of it.
    Nothing,
    /// A pipe that stays open, and what is typed into it.
    Keyboard,
}

/// What a process has said, and whether it has ended.
#[derive(Default)]
struct Heard {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    open: u8,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; what it says goes to the end of `log` as well.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        Self::start_with(name, command, log, Input::Nothing)
    }

    pub(crate) fn start_with(name: &str, command: &mut Command, log: &Path, input: Input) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(match input {
            Input::Nothing => Stdio::null(),
            Input::Keyboard => Stdio::piped(),
        });
        die_with_us(command);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id is small"));
        let (heard, _) = watch::channel(Heard { open: 2, ..Heard::default() });
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let log = Arc::new(Mutex::new(log));
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        pump(stdout, heard.clone(), Arc::clone(&log), |heard| &mut heard.stdout);
        pump(stderr, heard.clone(), log, |heard| &mut heard.stderr);
        let keyboard = Mutex::new(child.stdin.take());
        reap(child, heard.clone());
        Self(Arc::new(Inner { name: name.to_owned(), pid, keyboard, heard }))
    }

    /// Types into its standard input; see [`crate::Cli::keyboard`].
    pub fn types(&self, keys: &[u8]) {
        let mut keyboard = self.0.keyboard.lock().unwrap();
        keyboard.as_mut().expect("a keyboard").write_all(keys).unwrap();
    }

    /// Starts `command`, whose streams lead to a terminal already; `said` is what comes out of that terminal.
    pub(crate) fn on_terminal(name: &str, command: &mut Command, said: File, log: &Path) -> Self {
        die_with_us(command);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id is small"));
        let (heard, _) = watch::channel(Heard { open: 1, ..Heard::default() });
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        pump(said, heard.clone(), Arc::new(Mutex::new(log)), |heard| &mut heard.stdout);
        reap(child, heard.clone());
        Self(Arc::new(Inner { name: name.to_owned(), pid, keyboard: Mutex::default(), heard }))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.0.pid.as_raw()
    }

    /// Its name in logs and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.heard.borrow().ended.is_none()
    }

    /// Sends a signal; nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) {
        // Under the lock its end cannot be noticed meanwhile, so the number is still its own.
        let heard = self.0.heard.borrow();
        if heard.ended.is_none() {
            // It may be a zombie for a moment, which takes any signal.
            let _ = kill(self.0.pid, signal);
        }
    }

    /// Waits for a whole line with `text` in it, on either stream, and gives the first one.
    pub async fn says(&self, text: &str) -> String {
        self.heard(&format!("{text:?}"), |heard| {
            line_with(&heard.stdout, text).or_else(|| line_with(&heard.stderr, text))
        })
        .await
    }

    /// Waits for `text` on stdout or stderr, in a whole line or not.
    pub async fn shows(&self, text: &str) {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.heard(&format!("{text:?}"), |heard| (holds(&heard.stdout) || holds(&heard.stderr)).then_some(())).await;
    }

    /// The same for one that may end without saying it, or take too long.
    pub(crate) async fn may_say(&self, text: &str) -> Option<String> {
        self.listened(|heard| line_with(&heard.stdout, text).or_else(|| line_with(&heard.stderr, text))).await.0
    }

    /// What was found, and whether that was clear in time.
    async fn listened<T>(&self, find: impl Fn(&Heard) -> Option<T>) -> (Option<T>, bool) {
        let mut found = None;
        let mut changes = self.0.heard.subscribe();
        let wanted = changes.wait_for(|heard| {
            found = find(heard);
            found.is_some() || (heard.ended.is_some() && heard.open == 0)
        });
        let in_time = tokio::time::timeout(PATIENCE, wanted).await.is_ok();
        (found, in_time)
    }

    async fn heard<T>(&self, what: &str, find: impl Fn(&Heard) -> Option<T>) -> T {
        let (found, in_time) = self.listened(find).await;
        let name = self.name();
        match found {
            Some(found) => found,
            None if in_time => panic!("{name} ended without saying {what}; it said:\n{}", self.said()),
            None => panic!("{name} did not say {what} within {PATIENCE:?}; it said:\n{}", self.said()),
        }
    }

    /// Waits for its end.
    pub async fn ended(&self) -> ExitStatus {
        match tokio::time::timeout(PATIENCE, self.end()).await {
            Ok(status) => status,
            Err(_) => panic!("{} did not end within {PATIENCE:?}; it said:\n{}", self.name(), self.said()),
        }
    }

    pub(crate) async fn end(&self) -> ExitStatus {
        let mut changes = self.0.heard.subscribe();
        let heard = changes.wait_for(|heard| heard.ended.is_some()).await.expect("the sender is ours");
        heard.ended.expect("waited for")
    }

    /// Waits for its end and for everything it said.
    pub(crate) async fn finished(&self) -> Finished {
        self.ended().await;
        let mut changes = self.0.heard.subscribe();
        let closed = changes.wait_for(|heard| heard.open == 0);
        let closed = tokio::time::timeout(PATIENCE, closed).await;
        let heard = closed.expect("its pipes are held open by somebody else").expect("the sender is ours");
        let status = heard.ended.expect("waited for");
        Finished { code: code(status), stdout: heard.stdout.clone(), stderr: heard.stderr.clone() }
    }

    /// What it has said so far on stderr and then on stdout.
    #[must_use]
    pub fn said(&self) -> String {
        let heard = self.0.heard.borrow();
        format!("{}{}", String::from_utf8_lossy(&heard.stderr), String::from_utf8_lossy(&heard.stdout))
    }

    /// What it has said so far on stdout.
    #[must_use]
    pub fn stdout(&self) -> Vec<u8> {
        self.0.heard.borrow().stdout.clone()
    }

    /// The most memory it has ever had resident, in bytes.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process that lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kilobytes");
        kilobytes * 1024
    }

    /// Waits until everything it has said on stdout is what was waited for; false when it has ended otherwise.
    pub(crate) async fn stdout_until(&self, mut is_it: impl FnMut(&[u8]) -> bool) -> bool {
        let mut changes = self.0.heard.subscribe();
        let mut found = false;
        let wanted = changes.wait_for(|heard| {
            found = is_it(&heard.stdout);
            found || (heard.ended.is_some() && heard.open == 0)
        });
        wanted.await.expect("the sender is ours");
        found
    }

    /// Waits for its end and gives its exit code, or 128 and the signal that ended it.
    pub(crate) async fn code(&self) -> i32 {
        code(self.ended().await)
    }

    /// Kills it and waits until it is gone.
    pub async fn kill9(&self) {
        self.signal(Signal::SIGKILL);
        self.ended().await;
    }

    /// Stops its time; [`Self::cont`] lets it go on.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets its time go on.
    pub fn cont(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Asks it to end and waits until it has.
    pub async fn term(&self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ended().await
    }
}

/// Everything about a process that is over.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// A test that is killed takes its fleet with it.
pub(crate) fn die_with_us(command: &mut Command) {
    let die = || {
        // A file that may not grow is to be an error, as on a full disk, and not a death. The one that a process inherits.
        #[expect(unsafe_code, reason = "signal(2) before exec; nobody else runs in this process yet")]
        // SAFETY: setting a signal to be ignored runs no handler.
        unsafe {
            nix::sys::signal::signal(Signal::SIGXFSZ, SigHandler::SigIgn)?;
        }
        set_pdeathsig(Signal::SIGKILL).map_err(std::io::Error::from)
    };
    #[expect(unsafe_code, reason = "pre_exec; prctl(2) is async-signal-safe and touches no memory of ours")]
    // SAFETY: between fork and exec only two system calls are made, which allocate nothing and take no lock.
    unsafe {
        command.pre_exec(die);
    }
}

fn pump(
    mut from: impl Read + Send + 'static,
    heard: watch::Sender<Heard>,
    log: Arc<Mutex<File>>,
    part: fn(&mut Heard) -> &mut Vec<u8>,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            // A full disk must not stop the process under test; the memory copy is the one that tests look at.
            let _ = log.lock().unwrap().write_all(&buffer[..count]);
            heard.send_modify(|heard| part(heard).extend_from_slice(&buffer[..count]));
        }
        heard.send_modify(|heard| heard.open -= 1);
    });
}

fn reap(mut child: Child, heard: watch::Sender<Heard>) {
    thread::spawn(move || {
        let status = child.wait().expect("our own child");
        heard.send_modify(|heard| heard.ended = Some(status));
    });
}

/// A shell's word for a death by signal, so that every end is one number.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn line_with(bytes: &[u8], text: &str) -> Option<String> {
    let whole = &bytes[..bytes.iter().rposition(|byte| *byte == b'\n')?];
    String::from_utf8_lossy(whole).lines().find(|line| line.contains(text)).map(str::to_owned)
}
