//! A child that was started, and its end.

use std::{
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
    },
    unistd::Pid,
};
use tokio::sync::watch;

use super::{program::Mark, tree};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A child with its pipes.
#[derive(Debug)]
pub struct Running {
    /// To steer it and to wait for its end.
    pub control: Control,
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
}

/// Steers a child. Clones steer the same one; after its end nothing they do reaches anybody.
#[derive(Debug, Clone)]
pub struct Control {
    pub(super) shared: Arc<Shared>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pid: Pid,
    pub(super) mark: Mark,
    /// The writing end of its standard input, held so that it never sees an end of file.
    pub(super) stdin: Mutex<File>,
    /// Once the leader is reaped its number may be given to a stranger.
    pub(super) reaped: Mutex<bool>,
}

impl Control {
    /// The leader of the group.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.shared.pid
    }

    /// Types a `q`, FFmpeg's way to stop.
    pub fn quit(&self) {
        // The pipe does not block and the program may have closed its end; the ladder goes on to SIGTERM then.
        let _ = self.shared.stdin.lock().unwrap_or_else(PoisonError::into_inner).write_all(b"q");
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) {
        let reaped = self.shared.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            // ESRCH: everybody in it has just ended.
            let _ = killpg(self.shared.pid, signal);
        }
    }

    /// Kills the group at once. What has left the group is killed when the leader has ended.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Waits until the leader has ended, the rest of the tree is dead and everything is reaped.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.map(|end| *end) {
            Ok(Some(end)) => end,
            // The reaper is gone without a word: only when this process is being torn down.
            Ok(None) | Err(_) => Ended::Signal(Signal::SIGKILL as i32),
        }
    }
}

/// Waits for a child's end on a thread of its own, kills what is left of its tree, and reaps it.
pub(super) fn reap(shared: &Shared, leaders: &tree::Leaders, adopt: bool, told: &watch::Sender<Option<Ended>>) {
    let pid = shared.pid;
    // WNOWAIT: it stays a zombie, and its number stays taken, while the rest of the tree is killed.
    while let Err(Errno::EINTR) = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {}
    let _ = killpg(pid, Signal::SIGKILL);
    tree::kill_attempt(&shared.mark);

    let mut reaped = shared.reaped.lock().unwrap_or_else(PoisonError::into_inner);
    let status = loop {
        match waitpid(pid, None) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    *reaped = true;
    drop(reaped);
    leaders.lock().remove(&pid);
    if adopt {
        tree::bury_orphans(leaders);
    }
    let end = match status {
        Ok(WaitStatus::Exited(_, code)) => Ended::Code(code),
        Ok(WaitStatus::Signaled(_, signal, _)) => Ended::Signal(signal as i32),
        // Neither stopped nor continued children are asked for; an error means that somebody else reaped it.
        Ok(_) | Err(_) => Ended::Signal(Signal::SIGKILL as i32),
    };
    told.send_replace(Some(end));
}

/// Whether a process with this number exists at all.
#[must_use]
pub fn exists(pid: Pid) -> bool {
    kill(pid, None) != Err(Errno::ESRCH)
}
