//! A temporary folder that takes the processes in it along when it goes.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::unistd::{Pid, User, chown};

/// Kills whoever works in the folder `$1`, does `$2` and removes the folder, as soon as its standard input ends.
///
/// It ends when we close it, and it ends when we die of whatever. A process that we were just starting then may turn up
/// a moment later, which is why it looks twice.
const GUARD: &str = r#"
trap "" HUP INT TERM QUIT
read -r _
quiet=0
while [ $quiet -lt 2 ]; do
    left=$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1*" -printf "%h\n" 2>/dev/null)
    quiet=$((quiet + 1))
    for process in $left; do
        kill -9 "${process#/proc/}" 2>/dev/null
        quiet=0
    done
    sleep 0.03
done
cd "$1" && eval "$2"
cd / && rm -rf -- "$1"
"#;

/// The folder. Dropping it kills whoever has its working directory in it, and removes it.
pub(crate) struct Folder {
    path: PathBuf,
    guard: Child,
}

impl Folder {
    /// A folder called after `name`, owned by `owner`. At the end `last`, a line of shell, is done in it.
    pub(crate) fn new(name: &str, owner: Option<&User>, last: &str) -> Self {
        let place = tempfile::Builder::new().prefix(&format!("ffleet-{name}-")).tempdir().expect("a temporary folder");
        let path = place.path().canonicalize().expect("it was just made");
        if let Some(owner) = owner {
            chown(&path, Some(owner.uid), Some(owner.gid)).expect("we are root");
        }
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD, "guard"]).arg(&path).arg(last).current_dir("/");
        // Nothing that holds the pipes of the test program may outlive it, and no Ctrl+C may kill the guard.
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let guard = guard.spawn().expect("/bin/sh");
        let _ = place.keep();
        Self { path, guard }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Everybody who works in it, zombies not.
    pub(crate) fn members(&self) -> Vec<Pid> {
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let members = processes.filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let place = fs::read_link(process.path().join("cwd")).ok()?;
            place.starts_with(&self.path).then(|| Pid::from_raw(pid))
        });
        members.collect()
    }
}

/// Whether nothing is left of a process but its number, and perhaps that. While one of its threads is still dying, its
/// ports are open, although it works in no folder any more.
pub(crate) fn is_gone(pid: Pid) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The name, in parentheses, may have anything in it.
    let is_zombie = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']));
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    is_zombie && threads <= 1
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Waiting closes its standard input first.
        let _ = self.guard.wait();
    }
}
