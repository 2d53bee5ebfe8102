//! The part of a spool that lies on disk: records as JSON, one a line.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use ffleet_protocol::log::Record;
use nix::fcntl::{FallocateFlags, fallocate};

/// How many bytes all spools of a worker may hold on disk together.
#[derive(Debug)]
pub struct Budget {
    left: AtomicU64,
}

impl Budget {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { left: AtomicU64::new(bytes) }
    }

    /// Takes so much, all or nothing.
    fn take(&self, bytes: u64) -> bool {
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.left.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// Records in a file, read in the order in which they were written.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    /// Where the next record is read.
    read: u64,
    /// Where the next record is written.
    end: u64,
    /// Up to where the file's beginning was given back to the file system.
    punched: u64,
    /// What of the budget this file holds.
    charged: u64,
}

impl Disk {
    /// A new, empty file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Self { file, read: 0, end: 0, punched: 0, charged: 0 })
    }

    /// What an earlier life left. It is there already, so the budget is not asked.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let end = file.metadata()?.len();
        Ok(Self { file, read: 0, end, punched: 0, charged: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read == self.end
    }

    /// Writes lines at the end; false when the budget is spent or the disk is full.
    pub(super) fn append(&mut self, lines: &[u8], budget: &Budget) -> bool {
        let length = lines.len() as u64;
        if !budget.take(length) {
            return false;
        }
        if self.file.write_all_at(lines, self.end).is_err() {
            // Half a line may lie behind the end now; the next write covers it.
            budget.give_back(length);
            return false;
        }
        self.charged += length;
        self.end += length;
        true
    }

    /// The next records, of at least `bytes` bytes together unless there are fewer. Unreadable ones are left out.
    pub(super) fn next(&mut self, bytes: usize, budget: &Budget) -> Vec<Record> {
        const CHUNK: usize = 256 * 1024;
        let mut records = Vec::new();
        let mut taken = 0;
        let mut buffer = Vec::new();
        while taken < bytes && self.read < self.end {
            let want = usize::try_from(self.end - self.read).unwrap_or(CHUNK).min(CHUNK.max(buffer.len() * 2));
            buffer.resize(want, 0);
            if let Err(error) = self.file.read_exact_at(&mut buffer, self.read) {
                tracing::error!(%error, "the spool cannot be read; the records in it are lost");
                self.read = self.end;
                break;
            }
            let Some(complete) = buffer.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1) else {
                if self.read + want as u64 >= self.end {
                    // Half a line at the end: the worker was killed while it wrote.
                    self.read = self.end;
                }
                continue;
            };
            for line in buffer[..complete].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                match serde_json::from_slice(line) {
                    Ok(record) => records.push(record),
                    Err(error) => tracing::error!(%error, "a record in the spool is damaged and lost"),
                }
            }
            taken += complete;
            self.read += complete as u64;
            buffer.clear();
        }
        self.give_back_space(budget);
        records
    }

    /// What was read needs no space any more.
    fn give_back_space(&mut self, budget: &Budget) {
        if self.is_empty() {
            budget.give_back(std::mem::take(&mut self.charged));
            (self.read, self.end, self.punched) = (0, 0, 0);
            // Only space is lost if this fails.
            let _ = self.file.set_len(0);
            return;
        }
        let (Ok(from), Ok(length)) = (i64::try_from(self.punched), i64::try_from(self.read - self.punched)) else {
            return;
        };
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        // Where the file system cannot do this, the space comes back when everything was read.
        if length > 0 && fallocate(&self.file, hole, from, length).is_ok() {
            let freed = (self.read - self.punched).min(self.charged);
            self.punched = self.read;
            self.charged -= freed;
            budget.give_back(freed);
        }
    }

    /// Copies what has not been read.
    pub(super) fn copy_rest(&self, into: &mut impl io::Write) -> io::Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        let mut at = self.read;
        while at < self.end {
            let want = usize::try_from(self.end - at).unwrap_or(buffer.len()).min(buffer.len());
            self.file.read_exact_at(&mut buffer[..want], at)?;
            into.write_all(&buffer[..want])?;
            at += want as u64;
        }
        Ok(())
    }

    /// Gives its share of the budget back, before it goes.
    pub(super) fn release(&mut self, budget: &Budget) {
        budget.give_back(std::mem::take(&mut self.charged));
    }
}
