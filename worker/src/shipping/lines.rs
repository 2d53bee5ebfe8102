//! Stderr, split where lines end. FFmpeg's status line ends with `\r` alone; whoever waits for a `\n` there waits for the
//! end of the encode, while the pipe fills up.

use ffleet_protocol::log::LineEnd;

/// The longest piece of output in one record; what is longer becomes several, of which only the last one has an end.
pub const LONGEST: usize = 64 * 1024;

/// A line, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Without its end.
    pub bytes: Vec<u8>,
    /// What ended it; nothing for a piece of a longer line, or where output ended.
    pub end: Option<LineEnd>,
}

/// Splits bytes that come in pieces of any size. Putting lines and ends together again gives the bytes back.
#[derive(Debug, Default)]
pub struct Splitter {
    rest: Vec<u8>,
}

impl Splitter {
    /// Takes the next bytes and gives the lines that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], lines: &mut Vec<Line>) {
        while !bytes.is_empty() {
            let room = LONGEST - self.rest.len();
            let window = &bytes[..bytes.len().min(room)];
            match window.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                Some(at) => {
                    self.rest.extend_from_slice(&window[..at]);
                    let end = if window[at] == b'\n' { LineEnd::Lf } else { LineEnd::Cr };
                    lines.push(Line { bytes: std::mem::take(&mut self.rest), end: Some(end) });
                    bytes = &bytes[at + 1..];
                }
                None => {
                    self.rest.extend_from_slice(window);
                    bytes = &bytes[window.len()..];
                    if self.rest.len() == LONGEST {
                        lines.extend(self.flush());
                    }
                }
            }
        }
    }

    /// Gives what has come of an unfinished line: at the end, or when nothing has followed for a while, as after a prompt.
    pub fn flush(&mut self) -> Option<Line> {
        (!self.rest.is_empty()).then(|| Line { bytes: std::mem::take(&mut self.rest), end: None })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<Line> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.feed(piece, &mut lines);
        }
        lines.extend(splitter.flush());
        lines
    }

    fn joined(lines: &[Line]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(&line.bytes);
            match line.end {
                Some(LineEnd::Lf) => bytes.push(b'\n'),
                Some(LineEnd::Cr) => bytes.push(b'\r'),
                None => {}
            }
        }
        bytes
    }

    #[test]
    fn both_ends_end_a_line() {
        let told: Vec<(String, Option<LineEnd>)> = split(&[b"a\nb\r\r\nc", b"d\r", b"e"])
            .into_iter()
            .map(|line| (String::from_utf8(line.bytes).unwrap(), line.end))
            .collect();
        let (lf, cr) = (Some(LineEnd::Lf), Some(LineEnd::Cr));
        let expected = [("a", lf), ("b", cr), ("", cr), ("", lf), ("cd", cr), ("e", None)];
        assert_eq!(told, expected.map(|(text, end)| (text.to_owned(), end)));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let bytes = vec![b'x'; LONGEST * 2 + 7];
        let lines = split(&[&bytes]);
        assert_eq!(lines.iter().map(|line| line.bytes.len()).collect::<Vec<_>>(), [LONGEST, LONGEST, 7]);
        let exact = [vec![b'x'; LONGEST], b"\n".to_vec()].concat();
        let lines = split(&[&exact]);
        assert_eq!(lines.len(), 2, "the end of a full line comes as an empty line of its own");
        assert_eq!(joined(&lines), exact);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_pieces_make_no_difference(
            pieces in proptest::collection::vec(proptest::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..50), 0..20)
        ) {
            let all = pieces.concat();
            let apart: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let lines = split(&apart);
            prop_assert_eq!(joined(&lines), all.as_slice());
            prop_assert_eq!(lines, split(&[&all]));
        }
    }
}
