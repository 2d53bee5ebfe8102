use ffleet_protocol::{
    log::{Data, DropReason, Dropped, LineEnd, Record},
    state::Stream,
};

use super::at;
use crate::domain::logcap::{Chunk, ChunkKey, Prune, prune, thin};

fn chunk(first: u64, stream: Stream, bytes: u64) -> Chunk {
    Chunk { epoch: 1, first, stream, bytes, has_cr: false, thinned: false }
}

fn stderr(first: u64) -> Chunk {
    chunk(first, Stream::Stderr, 100)
}

fn firsts(keys: &[ChunkKey]) -> Vec<u64> {
    keys.iter().map(|key| key.first).collect()
}

#[test]
fn within_its_limit_nothing_goes() {
    let chunks: Vec<Chunk> = (0..8).map(stderr).collect();
    assert_eq!(prune(&chunks, 800), Prune::Nothing);
    assert_eq!(prune(&[], 0), Prune::Nothing);
}

#[test]
fn overwritten_lines_go_first() {
    let mut chunks: Vec<Chunk> = (0..9).map(stderr).collect();
    for index in [2, 5] {
        chunks[index].has_cr = true;
    }
    chunks[5].thinned = true;
    let Prune::Thin(keys) = prune(&chunks, 800) else { panic!() };
    assert_eq!(firsts(&keys), [2]);
    chunks[2].thinned = true;
    assert!(matches!(prune(&chunks, 800), Prune::Delete(_)));
}

#[test]
fn then_the_middle_goes_so_that_head_and_tail_stay() {
    let chunks: Vec<Chunk> = (0..20).map(stderr).collect();
    let Prune::Delete(keys) = prune(&chunks, 1000) else { panic!() };
    // 875 bytes are to stay: four chunks of head, and the newest ones.
    assert_eq!(firsts(&keys), (4..16).collect::<Vec<_>>());
}

#[test]
fn a_log_that_goes_on_keeps_its_head_and_its_newest_lines() {
    let mut chunks = Vec::new();
    for first in 0..500 {
        chunks.push(stderr(first));
        if let Prune::Delete(keys) = prune(&chunks, 1000) {
            chunks.retain(|chunk| !firsts(&keys).contains(&chunk.first));
        }
        assert!(chunks.iter().map(|chunk| chunk.bytes).sum::<u64>() <= 1000);
        assert_eq!(chunks.last().unwrap().first, first, "the newest stays");
    }
    let kept: Vec<u64> = chunks.iter().map(|chunk| chunk.first).collect();
    assert_eq!(kept[..4], [0, 1, 2, 3]);
    assert!(kept[4] > 490, "{kept:?}");
}

#[test]
fn results_and_the_workers_words_are_never_touched() {
    let mut chunks = vec![
        chunk(1, Stream::Stdout, 1_000_000),
        chunk(2, Stream::Worker, 500),
        chunk(3, Stream::Stderr, 100),
        chunk(4, Stream::Stderr, 100),
        chunk(5, Stream::Worker, 500),
        chunk(6, Stream::Stderr, 100),
    ];
    assert_eq!(prune(&chunks, 1300), Prune::Nothing, "standard output is not counted");
    let Prune::Delete(keys) = prune(&chunks, 1000) else { panic!() };
    assert_eq!(keys, [ChunkKey { epoch: 1, first: 4, stream: Stream::Stderr }]);
    chunks.remove(3);
    assert_eq!(prune(&chunks, 1000), Prune::Nothing, "nothing is left that may go");
}

#[test]
fn earlier_attempts_come_before_later_ones() {
    let mut chunks: Vec<Chunk> = (0..6).map(stderr).collect();
    for (index, chunk) in chunks.iter_mut().enumerate() {
        chunk.epoch = if index < 3 { 2 } else { 1 };
    }
    let Prune::Delete(keys) = prune(&chunks, 400) else { panic!() };
    assert_eq!(keys.iter().map(|key| (key.epoch, key.first)).collect::<Vec<_>>(), [(1, 4), (1, 5), (2, 0)]);
}

fn line(seq: u64, text: &str, end: Option<LineEnd>) -> Record {
    Record { seq, stream: Stream::Stderr, at: at(0), data: Data::Text(text.to_owned()), end }
}

const CR: Option<LineEnd> = Some(LineEnd::Cr);
const LF: Option<LineEnd> = Some(LineEnd::Lf);

fn seqs(records: Vec<Record>) -> Vec<u64> {
    thin(records).iter().map(|record| record.seq).collect()
}

#[test]
fn only_what_was_overwritten_goes() {
    let records = vec![
        line(1, "Input #0", LF),
        line(2, "frame=1", CR),
        line(3, "frame=2", CR),
        Record { stream: Stream::Stdout, end: None, ..line(4, "bytes", None) },
        line(5, "frame=3", CR),
        line(6, "done", LF),
        line(7, "frame=4", CR),
    ];
    assert_eq!(seqs(records), [1, 4, 6, 7]);
}

#[test]
fn an_empty_line_and_a_hole_overwrite_nothing() {
    let hole = Dropped { to: 6, bytes: None, reason: DropReason::SpoolFull };
    let records = vec![
        line(1, "frame=1", CR),
        line(2, "", LF),
        line(3, "frame=2", CR),
        Record { data: Data::Dropped(hole), end: None, ..line(4, "", None) },
        line(7, "end", LF),
    ];
    assert_eq!(seqs(records), [1, 2, 3, 4, 7]);
}

#[test]
fn thinning_twice_changes_nothing_more() {
    let records: Vec<Record> = (1..50).map(|seq| line(seq, "frame", if seq % 7 == 0 { LF } else { CR })).collect();
    let once = thin(records);
    assert_eq!(thin(once.clone()), once);
}
