//! Proving that a path variable's directory can be used, by using it.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use ffleet_protocol::worker::Mount;
use nix::sys::statvfs::statvfs;
use uuid::Uuid;

use super::Root;

/// What came of a proof: what to advertise, or why not.
pub type Proof = Result<Mount, String>;

/// Looks at a directory. Blocks as long as its file system does; the caller sets the limit.
pub fn prove(root: &Root) -> Proof {
    let path = &root.path;
    let bad = |what: &str, error: &io::Error| format!("{} {what}: {error}", path.display());
    if !path.is_absolute() {
        return Err(format!("{} is not an absolute path", path.display()));
    }
    let metadata = fs::metadata(path).map_err(|error| bad("cannot be looked at", &error))?;
    if !metadata.is_dir() {
        return Err(format!("{} is not a directory", path.display()));
    }
    if root.mount && !is_mount_point(path, &metadata).map_err(|error| bad("cannot be looked at", &error))? {
        return Err(format!("nothing is mounted at {}", path.display()));
    }
    if let Some(Err(error)) = fs::read_dir(path).map_err(|error| bad("cannot be read", &error))?.next() {
        return Err(bad("cannot be read", &error));
    }
    let writable = match root.writable {
        Some(false) => false,
        Some(true) => try_writing(path).map(|()| true).map_err(|error| bad("cannot be written", &error))?,
        None => try_writing(path).is_ok(),
    };
    let free_bytes = statvfs(path.as_path()).ok().map(|stat| stat.blocks_available() * stat.fragment_size());
    Ok(Mount { writable, free_bytes })
}

/// A mount point lies on another device than the directory above it, or is the top.
fn is_mount_point(path: &Path, metadata: &fs::Metadata) -> io::Result<bool> {
    let real = fs::canonicalize(path)?;
    match real.parent() {
        None => Ok(true),
        Some(parent) => Ok(fs::metadata(parent)?.dev() != metadata.dev() || is_bind_mount(&real)),
    }
}

/// A directory that is bound elsewhere on the same device has the same device number; the kernel's list knows.
fn is_bind_mount(path: &Path) -> bool {
    let Ok(list) = fs::read_to_string("/proc/self/mountinfo") else { return false };
    let Some(path) = path.to_str() else { return false };
    list.lines().filter_map(|line| line.split(' ').nth(4)).any(|place| unescaped(place) == path)
}

/// The kernel writes spaces and the like as three octal digits.
fn unescaped(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

fn try_writing(path: &Path) -> io::Result<()> {
    let probe = path.join(format!(".ffleet-probe-{}", Uuid::new_v4().simple()));
    OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(&probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(path: &Path) -> Root {
        Root { path: path.to_owned(), writable: None, mount: false }
    }

    #[test]
    fn a_directory_is_proven_by_using_it() {
        let folder = tempfile::tempdir().unwrap();
        let mount = prove(&root(folder.path())).unwrap();
        assert!(mount.writable && mount.free_bytes.is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the probe is gone");
        let read_only = Root { writable: Some(false), ..root(folder.path()) };
        assert!(!prove(&read_only).unwrap().writable);
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for (root, said) in [
            (root(&folder.path().join("none")), "cannot be looked at"),
            (root(&file), "is not a directory"),
            (root(Path::new("relative")), "is not an absolute path"),
            (Root { mount: true, ..root(folder.path()) }, "nothing is mounted at"),
            (Root { writable: Some(true), ..root(Path::new("/proc")) }, "cannot be written"),
        ] {
            let error = prove(&root).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(prove(&Root { mount: true, ..root(Path::new("/proc")) }).is_ok());
    }
}
