//! Records on their way: numbered when they come in, kept until the coordinator has taken them.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ffleet_protocol::{
    Timestamp,
    log::{Data, DropReason, Dropped, LineEnd, Record},
    state::Stream,
};
use tokio::sync::Notify;

use super::disk::{Budget, Disk};

/// What a record costs besides its text, in memory and on the wire.
const OVERHEAD: usize = 96;

/// Where a spool may lie and how much it may hold.
#[derive(Debug, Clone)]
pub struct SpoolFile {
    /// Its file; made when memory does not suffice.
    pub path: PathBuf,
    /// Bytes of records held in memory.
    pub memory: usize,
    /// Bytes on disk, shared with all other spools.
    pub budget: Arc<Budget>,
}

/// What has come in so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The number of the last record; 0 when there was none.
    pub last_seq: u64,
    /// The number of the first record of standard output.
    pub first_stdout: Option<u64>,
}

/// The records of one attempt. Order: `front`, then `disk`, then `lost`.
#[derive(Debug)]
pub struct Spool {
    place: SpoolFile,
    inner: Mutex<Inner>,
    changed: Notify,
    urgent: Notify,
}

#[derive(Debug)]
struct Inner {
    front: VecDeque<Record>,
    front_bytes: usize,
    disk: Option<Disk>,
    /// A range for which there was no room, still growing.
    lost: Option<Record>,
    /// The number of the next record that comes in.
    next_seq: u64,
    /// The number of the next record that the coordinator has to be given.
    wanted: u64,
    first_stdout: Option<u64>,
    closed: bool,
}

impl Spool {
    /// An empty one, whose first record gets this number.
    #[must_use]
    pub fn new(place: SpoolFile, next_seq: u64) -> Self {
        let next_seq = next_seq.max(1);
        Self::with(place, None, Totals { last_seq: next_seq - 1, first_stdout: None }, next_seq, false)
    }

    /// One that an earlier life filled and did not empty. What cannot be found of it counts as lost.
    #[must_use]
    pub fn recovered(place: SpoolFile, totals: Totals) -> Self {
        let disk = Disk::open(&place.path).ok();
        let mut spool = Self::with(place, disk, totals, 1, true);
        let inner = spool.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        inner.load(1, &spool.place.budget);
        // Whatever stood before was taken, as far as can be told here; the coordinator knows better and will say so.
        inner.wanted = inner.front.front().map_or(inner.next_seq, |first| first.seq);
        spool
    }

    fn with(place: SpoolFile, disk: Option<Disk>, totals: Totals, wanted: u64, closed: bool) -> Self {
        let inner = Inner {
            front: VecDeque::new(),
            front_bytes: 0,
            disk,
            lost: None,
            next_seq: totals.last_seq + 1,
            wanted,
            first_stdout: totals.first_stdout,
            closed,
        };
        Self { place, inner: Mutex::new(inner), changed: Notify::new(), urgent: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record in. Never waits for anybody; what there is no room for is declared lost.
    pub fn push(&self, stream: Stream, at: Timestamp, bytes: Vec<u8>, end: Option<LineEnd>) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let seq = inner.next_seq;
        inner.next_seq += 1;
        if stream == Stream::Stdout {
            inner.first_stdout.get_or_insert(seq);
        }
        let length = bytes.len() as u64;
        let record = Record { seq, stream, at, data: Data::of(bytes), end };
        if !inner.keep(&record, &self.place) {
            inner.lose(&record, length);
        }
        let urgent = inner.front_bytes >= super::shipper::BATCH;
        drop(inner);
        self.changed.notify_one();
        if urgent {
            self.urgent.notify_one();
        }
    }

    /// Nothing comes in any more.
    pub fn close(&self) -> Totals {
        self.lock().closed = true;
        self.changed.notify_one();
        self.urgent.notify_one();
        self.totals()
    }

    /// What has come in so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let inner = self.lock();
        Totals { last_seq: inner.next_seq - 1, first_stdout: inner.first_stdout }
    }

    /// Whether nothing can come in any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The records to send next, of about `bytes` bytes together, without gaps. They stay until they are settled.
    #[must_use]
    pub fn batch(&self, bytes: usize) -> Vec<Record> {
        let mut inner = self.lock();
        inner.load(bytes, &self.place.budget);
        inner.batch(bytes)
    }

    /// The coordinator has everything before this number.
    pub fn settle(&self, next_seq: u64) {
        let mut inner = self.lock();
        inner.wanted = inner.wanted.max(next_seq);
        inner.forget_settled();
    }

    /// The coordinator lacks records from this number on. Those that are gone here are declared lost.
    pub fn rewind(&self, next_seq: u64) {
        let mut inner = self.lock();
        inner.wanted = next_seq.max(1);
        inner.forget_settled();
        drop(inner);
        self.changed.notify_one();
    }

    /// Records up to this number cannot be delivered, whatever is done: they are declared lost.
    pub fn forfeit(&self, last_seq: u64) {
        let mut inner = self.lock();
        let wanted = inner.wanted;
        inner.wanted = last_seq + 1;
        inner.forget_settled();
        inner.wanted = wanted;
    }

    /// Returns when something has come in, or the spool was closed, since the last time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns when so much has come in that it should not wait, or the spool was closed.
    pub async fn urgent(&self) {
        self.urgent.notified().await;
    }

    /// Writes everything that is not settled to the file, so that another life can send it. Only once it is closed.
    pub fn persist(&self) -> io::Result<()> {
        let inner = self.lock();
        if inner.wanted >= inner.next_seq {
            return Ok(());
        }
        let path = &self.place.path;
        let part = path.with_extension("part");
        let mut file = BufWriter::new(File::create(&part)?);
        for record in &inner.front {
            file.write_all(&json_line(record)?)?;
        }
        if let Some(disk) = &inner.disk {
            disk.copy_rest(&mut file)?;
        }
        if let Some(lost) = &inner.lost {
            file.write_all(&json_line(lost)?)?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&part, path)?;
        sync_folder(path)
    }

    /// Forgets everything and removes the file.
    pub fn discard(&self) {
        let mut inner = self.lock();
        inner.front.clear();
        inner.front_bytes = 0;
        if let Some(mut disk) = inner.disk.take() {
            disk.release(&self.place.budget);
        }
        inner.closed = true;
        // Most attempts never needed one.
        let _ = fs::remove_file(&self.place.path);
    }
}

impl Inner {
    /// Finds room for a record, and for the loss before it; false if there is none.
    fn keep(&mut self, record: &Record, place: &SpoolFile) -> bool {
        let on_disk = self.disk.as_ref().is_some_and(|disk| !disk.is_empty());
        if !on_disk && self.front_bytes + size(record) <= place.memory {
            if let Some(lost) = self.lost.take() {
                self.put(lost);
            }
            self.put(record.clone());
            return true;
        }
        if self.disk.is_none() {
            match Disk::create(&place.path) {
                Ok(disk) => self.disk = Some(disk),
                Err(error) => {
                    tracing::warn!(%error, path = %place.path.display(), "the spool file cannot be made");
                    return false;
                }
            }
        }
        // The loss and the record after it go together, so that losses that follow each other become one.
        let lines =
            [self.lost.as_ref(), Some(record)].into_iter().flatten().map(json_line).collect::<io::Result<Vec<_>>>();
        let (Some(disk), Ok(lines)) = (&mut self.disk, lines) else { return false };
        let kept = disk.append(&lines.concat(), &place.budget);
        if kept {
            self.lost = None;
        }
        kept
    }

    fn put(&mut self, record: Record) {
        self.front_bytes += size(&record);
        self.front.push_back(record);
    }

    /// Adds a record to the loss that is being declared. It counts as standard output as soon as any of it was, because
    /// lost standard output decides about the result.
    fn lose(&mut self, record: &Record, bytes: u64) {
        match &mut self.lost {
            Some(Record { stream, data: Data::Dropped(dropped), .. }) => {
                dropped.to = record.seq;
                dropped.bytes = dropped.bytes.map(|before| before + bytes);
                if record.stream == Stream::Stdout {
                    *stream = Stream::Stdout;
                }
            }
            Some(_) | None => {
                let dropped = Dropped { to: record.seq, bytes: Some(bytes), reason: DropReason::SpoolFull };
                self.lost = Some(Record { data: Data::Dropped(dropped), end: None, ..record.clone() });
            }
        }
    }

    /// Fills `front` from disk, and at the very end with the loss.
    fn load(&mut self, bytes: usize, budget: &Budget) {
        self.forget_settled();
        while self.front_bytes < bytes
            && let Some(disk) = self.disk.as_mut().filter(|disk| !disk.is_empty())
        {
            for record in disk.next(bytes, budget) {
                self.put(record);
            }
            self.forget_settled();
        }
        if self.front.is_empty()
            && let Some(lost) = self.lost.take()
        {
            self.put(lost);
        }
    }

    /// Drops records that the coordinator has.
    fn forget_settled(&mut self) {
        while let Some(first) = self.front.front_mut() {
            if first.last_seq() >= self.wanted {
                // Only a declared loss reaches over several numbers.
                first.seq = first.seq.max(self.wanted);
                break;
            }
            self.front_bytes -= size(first);
            self.front.pop_front();
        }
    }

    /// Puts records together so that each follows the one before; what is missing is declared lost.
    fn batch(&self, bytes: usize) -> Vec<Record> {
        let mut batch = Vec::new();
        let mut taken = 0;
        let mut expected = self.wanted;
        for record in &self.front {
            if record.seq > expected {
                batch.push(self.gap(expected, record.seq - 1, record.at));
            }
            expected = record.last_seq() + 1;
            taken += size(record);
            batch.push(record.clone());
            if taken >= bytes {
                return batch;
            }
        }
        let nothing_behind = self.lost.is_none() && self.disk.as_ref().is_none_or(Disk::is_empty);
        if nothing_behind && expected < self.next_seq {
            batch.push(self.gap(expected, self.next_seq - 1, Timestamp::now()));
        }
        batch
    }

    fn gap(&self, from: u64, to: u64, at: Timestamp) -> Record {
        let stdout = self.first_stdout.is_some_and(|first| first <= to);
        let dropped = Dropped { to, bytes: None, reason: DropReason::SpoolLost };
        Record {
            seq: from,
            stream: if stdout { Stream::Stdout } else { Stream::Stderr },
            at,
            data: Data::Dropped(dropped),
            end: None,
        }
    }
}

fn size(record: &Record) -> usize {
    OVERHEAD
        + match &record.data {
            Data::Text(text) | Data::B64(text) => text.len(),
            Data::Dropped(_) => 0,
        }
}

fn json_line(record: &Record) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// A new name is only safe when its folder was written too.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
