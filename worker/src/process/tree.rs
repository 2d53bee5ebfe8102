//! Killing all of a tree: the group, and whatever left the group but still carries the mark.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    sys::{
        signal::{Signal, kill, killpg},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};

use super::{
    proc,
    program::{MARK_VARIABLE, Mark, MarkPrefix},
};

/// Children that have a reaper of their own. Locked while one is being started, so that nobody takes a child that has
/// ended already for an orphan.
#[derive(Debug, Default)]
pub(super) struct Leaders(Mutex<HashSet<Pid>>);

impl Leaders {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashSet<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often the list of processes is read again: a process that forks faster than it is killed needs several rounds.
const ROUNDS: u32 = 400;
const PAUSE: Duration = Duration::from_millis(5);

/// Kills every process that was started with this mark, until none is left. Blocks for 2 s at most.
pub(super) fn kill_attempt(mark: &Mark) {
    kill_all(|pid| proc::environment_has(pid, MARK_VARIABLE, |value| value == mark.as_str().as_bytes()));
}

/// Kills what an earlier life of this worker left behind; how many processes that were.
pub fn kill_marked(prefix: &MarkPrefix) -> usize {
    kill_all(|pid| proc::environment_has(pid, MARK_VARIABLE, |value| value.starts_with(prefix.as_bytes())))
}

/// Kills the group that this process leads or led.
pub fn kill_group_of(leader: Pid) {
    // ESRCH means that nobody is left, which is what is wanted.
    let _ = killpg(leader, Signal::SIGKILL);
}

fn kill_all(belongs: impl Fn(Pid) -> bool) -> usize {
    let own = Pid::this();
    let mut killed = HashSet::new();
    for _ in 0..ROUNDS {
        let found: Vec<Pid> = proc::all().into_iter().filter(|pid| *pid != own && belongs(*pid)).collect();
        if found.is_empty() {
            break;
        }
        for pid in found {
            let _ = kill(pid, Signal::SIGKILL);
            killed.insert(pid);
        }
        thread::sleep(PAUSE);
    }
    killed.len()
}

/// Buries orphans that the kernel gave to this process and that have ended, leaving children with a reaper to theirs.
pub(super) fn bury_orphans(leaders: &Leaders) {
    let own = Pid::this();
    let leaders = leaders.lock();
    for pid in proc::all() {
        let orphan = proc::stat(pid).is_some_and(|stat| stat.parent == own && stat.state == 'Z');
        if orphan && !leaders.contains(&pid) {
            let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        }
    }
}
