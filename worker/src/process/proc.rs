//! What the kernel tells about processes under `/proc`.

use std::{fs, path::Path};

use nix::unistd::Pid;

/// The parts of `/proc/PID/stat` that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The process.
    pub pid: Pid,
    /// One letter; `Z` is a zombie.
    pub state: char,
    /// Its parent.
    pub parent: Pid,
    /// Its process group.
    pub group: Pid,
    /// When it started, in clock ticks since the boot. With the boot's id it tells a process from a later one that was
    /// given the same number.
    pub started: u64,
}

/// Reads a process's `stat`; nothing when there is no such process.
#[must_use]
pub fn stat(pid: Pid) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The kernel's id of this boot.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Every process there is.
pub(super) fn all() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw)).collect()
}

/// Whether `name=value` stands in the environment that a process was started with, for a value that `fits`. Of processes
/// that are not ours, and of zombies, nothing can be read.
pub(super) fn environment_has(pid: Pid, name: &str, fits: impl Fn(&[u8]) -> bool) -> bool {
    let Ok(environment) = fs::read(Path::new("/proc").join(pid.to_string()).join("environ")) else { return false };
    environment
        .split(|byte| *byte == 0)
        .filter_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .any(fits)
}

/// The second field is the program's name in brackets and may contain anything, brackets and spaces included.
fn parse(text: &str) -> Option<Stat> {
    let (before, after) = (text.split_once('(')?.0, text.rsplit_once(')')?.1);
    let fields: Vec<&str> = after.split_whitespace().collect();
    let pid = |text: &str| text.parse().ok().map(Pid::from_raw);
    Some(Stat {
        pid: pid(before.trim())?,
        state: fields.first()?.chars().next()?,
        parent: pid(fields.get(1)?)?,
        group: pid(fields.get(2)?)?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_may_contain_anything() {
        let text =
            "4242 (a ) (b) R 1 2) S 17 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1 18446744073709551615";
        let stat = parse(text).unwrap();
        assert_eq!((stat.pid, stat.state), (Pid::from_raw(4242), 'S'));
        assert_eq!((stat.parent, stat.group, stat.started), (Pid::from_raw(17), Pid::from_raw(4242), 987_654));
        assert_eq!(parse("4242 (x) S 1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_process_is_there() {
        let own = stat(Pid::this()).unwrap();
        assert_eq!((own.pid, own.parent), (Pid::this(), Pid::parent()));
        assert!(all().contains(&Pid::this()));
        assert!(!boot_id().is_empty());
    }
}
