//! What programs write: progress, the tail of stderr, and lines that end in two ways.

use std::path::Path;

use ffleet_protocol::log::LineEnd;

use crate::{
    cut, failures,
    lines::{LONGEST, Line, Splitter},
    progress::{ProgressReader, with_duration},
};

/// The first byte says how large the pieces are in which the rest comes.
fn in_pieces(bytes: &[u8]) -> (usize, &[u8]) {
    bytes.split_first().map_or((1, bytes), |(size, rest)| (usize::from(*size).max(1), rest))
}

/// Progress is the same in pieces, and stays within its bounds.
pub(crate) fn progress(bytes: &[u8]) {
    let (size, rest) = in_pieces(bytes);
    let whole = ProgressReader::default().feed(rest);
    let mut reader = ProgressReader::default();
    let newest = rest.chunks(size).filter_map(|piece| reader.feed(piece)).last();
    assert_eq!(newest, whole);
    let Some(progress) = whole else { return };
    for number in [progress.fps, progress.bitrate, progress.speed].into_iter().flatten() {
        assert!(number.is_finite(), "{number}");
    }
    for duration in [i64::MIN, -1, 0, 1, 10_000_000, i64::MAX] {
        let told = with_duration(progress.clone(), Some(duration));
        assert!(told.percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)), "{told:?}");
        assert!(told.eta_s.is_none_or(|left| left >= 0.0 && left.is_finite()), "{told:?}");
        serde_json::to_string(&told).unwrap();
    }
}

/// A failure is named by a line that is there.
pub(crate) fn tail(bytes: &[u8]) {
    let (tail, input) = cut(bytes);
    let (tail, input) = (String::from_utf8_lossy(tail), String::from_utf8_lossy(input));
    if let Some(named) = failures::name(&tail, &[Path::new(&*input)]) {
        let line = named.line.strip_suffix('…').unwrap_or(&named.line);
        assert!(!named.line.is_empty() && tail.contains(line), "{named:?}");
        assert!(named.line.chars().count() <= 301 && !named.line.contains(['\n', '\r']));
    }
}

/// Nothing is lost between the lines, and pieces make no difference.
pub(crate) fn lines(bytes: &[u8]) {
    let (size, rest) = in_pieces(bytes);
    let lines = split(rest.chunks(size));
    assert_eq!(lines, split([rest].into_iter()));
    let mut joined = Vec::with_capacity(rest.len());
    for line in &lines {
        assert!(line.bytes.len() <= LONGEST && !line.bytes.contains(&b'\n') && !line.bytes.contains(&b'\r'));
        joined.extend_from_slice(&line.bytes);
        joined.extend(line.end.map(|end| if end == LineEnd::Lf { b'\n' } else { b'\r' }));
    }
    assert_eq!(joined, rest);
}

fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Line> {
    let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
    for piece in pieces {
        splitter.feed(piece, &mut lines);
    }
    lines.extend(splitter.flush());
    lines
}
