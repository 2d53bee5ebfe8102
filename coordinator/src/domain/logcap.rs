//! What a task's log gives up when it is over its limit: first the status lines that later ones have overwritten, then
//! whole chunks of stderr from the middle, so that the beginning and the end stay.
//!
//! Standard output is a result, not a log: it is neither counted nor touched here, it has a limit of its own. The
//! worker's words are few and tell what happened: they are counted and stay.

use ffleet_protocol::{
    log::{Data, LineEnd, Record},
    state::Stream,
};

/// A stored chunk, as far as the limit looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The attempt.
    pub epoch: u32,
    /// The first number of the batch it came in.
    pub first: u64,
    /// Which stream's records it holds.
    pub stream: Stream,
    /// How many bytes it takes.
    pub bytes: u64,
    /// Whether it holds lines that end in `\r`.
    pub has_cr: bool,
    /// Whether those that were overwritten are gone already.
    pub thinned: bool,
}

impl Chunk {
    /// Which chunk this is.
    #[must_use]
    pub fn key(&self) -> ChunkKey {
        ChunkKey { epoch: self.epoch, first: self.first, stream: self.stream }
    }
}

/// Which chunk of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey {
    /// The attempt.
    pub epoch: u32,
    /// The first number of the batch it came in.
    pub first: u64,
    /// Which stream's records it holds.
    pub stream: Stream,
}

/// What to do about a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prune {
    /// It is within its limit, or nothing is left that may go.
    Nothing,
    /// Pass these chunks through [`thin`], mark them as thinned, and look again.
    Thin(Vec<ChunkKey>),
    /// Delete these chunks.
    Delete(Vec<ChunkKey>),
}

/// Decides what a log of these chunks gives up for a limit of `cap` bytes. It goes an eighth below, so that not every
/// further line costs a deletion.
#[must_use]
pub fn prune(chunks: &[Chunk], cap: u64) -> Prune {
    let total: u64 = chunks.iter().filter(|chunk| chunk.stream != Stream::Stdout).map(|chunk| chunk.bytes).sum();
    if total <= cap {
        return Prune::Nothing;
    }
    let mut stderr: Vec<&Chunk> = chunks.iter().filter(|chunk| chunk.stream == Stream::Stderr).collect();
    stderr.sort_by_key(|chunk| chunk.key());
    let thin: Vec<ChunkKey> =
        stderr.iter().filter(|chunk| chunk.has_cr && !chunk.thinned).map(|chunk| chunk.key()).collect();
    if !thin.is_empty() {
        return Prune::Thin(thin);
    }
    let size: u64 = stderr.iter().map(|chunk| chunk.bytes).sum();
    let room = (cap - cap / 8).saturating_sub(total - size);
    let delete = middle(&stderr, size.saturating_sub(room), room / 2);
    if delete.is_empty() { Prune::Nothing } else { Prune::Delete(delete) }
}

/// The oldest chunks after a head of `head` bytes that hold `surplus` bytes together; never the first nor the last.
fn middle(stderr: &[&Chunk], surplus: u64, head: u64) -> Vec<ChunkKey> {
    let mut before = 0_u64;
    let mut freed = 0_u64;
    let mut delete = Vec::new();
    for (index, chunk) in stderr.iter().enumerate() {
        before = before.saturating_add(chunk.bytes);
        let is_head = index == 0 || before <= head;
        let is_last = index + 1 == stderr.len();
        if is_head || is_last || freed >= surplus {
            continue;
        }
        freed = freed.saturating_add(chunk.bytes);
        delete.push(chunk.key());
    }
    delete
}

/// The records without those lines of stderr that a later line of the same chunk has overwritten. The last line stays,
/// for what follows in the next chunk is not known here. Readers see the holes by the missing numbers.
#[must_use]
pub fn thin(records: Vec<Record>) -> Vec<Record> {
    let mut overwritten = false;
    let mut kept: Vec<Record> = Vec::with_capacity(records.len());
    for record in records.into_iter().rev() {
        if record.stream != Stream::Stderr {
            kept.push(record);
            continue;
        }
        let goes = overwritten && record.end == Some(LineEnd::Cr);
        // An empty line moves the cursor and overwrites nothing: `\r\n` ends the line before it.
        overwritten = match &record.data {
            Data::Text(text) | Data::B64(text) => !text.is_empty(),
            Data::Dropped(_) => false,
        };
        if !goes {
            kept.push(record);
        }
    }
    kept.reverse();
    kept
}
