//! A small disk that a test fills and frees.
//!
//! Where mounting is allowed it is a file system of its own, and full means full. Elsewhere the files of one process are
//! kept from growing (`RLIMIT_FSIZE`), which looks much the same to whoever writes.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// A folder with little room.
pub struct SmallDisk {
    folder: PathBuf,
    mounted: bool,
    limited: Mutex<Option<i32>>,
}

impl SmallDisk {
    /// A folder of so many MiB.
    #[must_use]
    pub fn at(folder: &Path, mib: u32) -> Self {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={mib}m,mode=0700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        let mounted = mount.is_ok_and(|ran| ran.status.success());
        Self { folder: folder.to_owned(), mounted, limited: Mutex::new(None) }
    }

    /// Leaves no room in it. Without a file system of its own: for the process `pid`, whose files grow no more.
    pub fn fill(&self, pid: i32) {
        if self.mounted {
            let mut file = fs::File::create(self.filler()).unwrap();
            let block = [0; 4096];
            while file.write_all(&block).is_ok() {}
            return;
        }
        let sizes = fs::read_dir(&self.folder).unwrap().flatten().filter_map(|entry| entry.metadata().ok());
        let largest = sizes.filter(fs::Metadata::is_file).map(|data| data.len()).max().unwrap_or(0);
        limit(pid, &format!("{largest}:unlimited"));
        *self.limited.lock().unwrap() = Some(pid);
    }

    /// Makes room again.
    pub fn free(&self) {
        if self.mounted {
            fs::remove_file(self.filler()).unwrap();
        }
        if let Some(pid) = self.limited.lock().unwrap().take() {
            limit(pid, "unlimited:unlimited");
        }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

fn limit(pid: i32, bytes: &str) {
    let ran = Command::new("prlimit").args([format!("--pid={pid}"), format!("--fsize={bytes}")]).output().unwrap();
    assert!(ran.status.success(), "prlimit: {}", String::from_utf8_lossy(&ran.stderr));
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: a process that has not quite ended must not keep it.
            let _ = Command::new("umount").arg("-l").arg(&self.folder).output();
        }
    }
}
