//! The standard streams as the program's own: every byte, and as it comes.
//!
//! Whoever reads them may take his time. Writing happens on another thread, so that signals are heard and signs of life go
//! out meanwhile.

use std::io::{self, Write, stderr, stdout};

use ffleet_protocol::{
    log::{Data, LineEnd, Record},
    state::Stream,
};
use tokio::task::JoinHandle;

/// As much as is written together.
const ENOUGH: usize = 256 * 1024;

/// Bytes that wait to be written, in order.
#[derive(Debug, Default)]
pub struct Chunks {
    chunks: Vec<(Target, Vec<u8>)>,
    bytes: usize,
}

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Stdout,
    Stderr,
}

impl Chunks {
    /// Adds what a record holds of the program's own output; says whether it held anything else.
    pub fn push(&mut self, record: &Record) -> bool {
        if matches!(record.data, Data::Dropped(_)) {
            return true;
        }
        let Some(mut bytes) = record.data.bytes() else { return true };
        let target = match record.stream {
            Stream::Stdout => Target::Stdout,
            Stream::Stderr => Target::Stderr,
            Stream::Worker => return true,
        };
        match record.end {
            Some(LineEnd::Lf) => bytes.push(b'\n'),
            Some(LineEnd::Cr) => bytes.push(b'\r'),
            None => {}
        }
        self.bytes += bytes.len();
        match self.chunks.last_mut() {
            Some((last, before)) if *last == target => before.append(&mut bytes),
            Some(_) | None => self.chunks.push((target, bytes)),
        }
        false
    }

    /// Whether they should be written before more is gathered.
    #[must_use]
    pub fn enough(&self) -> bool {
        self.bytes >= ENOUGH
    }

    /// Whether there is nothing to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Writes all of them; an error is standard output's. A closed standard error is nobody's loss, as for FFmpeg.
    fn write(self, skip_stdout: bool) -> io::Result<()> {
        for (target, bytes) in self.chunks {
            match target {
                Target::Stdout if skip_stdout => {}
                Target::Stdout => {
                    let mut stdout = stdout().lock();
                    stdout.write_all(&bytes)?;
                    stdout.flush()?;
                }
                Target::Stderr => {
                    let _ = stderr().lock().write_all(&bytes);
                }
            }
        }
        Ok(())
    }
}

/// The one writer.
#[derive(Debug, Default)]
pub struct Writer {
    writing: Option<JoinHandle<io::Result<()>>>,
    /// Nobody reads our standard output any more.
    unread: bool,
}

impl Writer {
    /// Whether it is writing; then [`Self::written`] tells the end of it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.writing.is_some()
    }

    /// Begins to write. Not while it is busy.
    pub fn write(&mut self, chunks: Chunks) {
        if !chunks.is_empty() {
            let skip_stdout = self.unread;
            self.writing = Some(tokio::task::spawn_blocking(move || chunks.write(skip_stdout)));
        }
    }

    /// Waits until everything is written; true when standard output turned out just now to be read by nobody. Waiting for it
    /// may be given up and taken up again.
    pub async fn written(&mut self) -> bool {
        let Some(writing) = &mut self.writing else { return false };
        let result = writing.await;
        self.writing = None;
        // Whatever is wrong with standard output, a closed pipe or a full disk, FFmpeg would end of it.
        let failed = !matches!(result, Ok(Ok(())));
        failed && !std::mem::replace(&mut self.unread, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stream: Stream, text: &str, end: Option<LineEnd>) -> Record {
        Record { seq: 1, stream, at: jiff::Timestamp::UNIX_EPOCH, data: Data::Text(text.to_owned()), end }
    }

    #[test]
    fn lines_get_their_own_ends_back() {
        let mut chunks = Chunks::default();
        for (stream, text, end) in [
            (Stream::Stderr, "frame= 1", Some(LineEnd::Cr)),
            (Stream::Stderr, "frame= 2", Some(LineEnd::Cr)),
            (Stream::Stdout, "x", None),
            (Stream::Stderr, "done", Some(LineEnd::Lf)),
            (Stream::Stderr, "prompt: ", None),
        ] {
            assert!(!chunks.push(&record(stream, text, end)));
        }
        assert!(chunks.push(&record(Stream::Worker, "ours", None)), "this is not the program's");
        let expected = [
            (Target::Stderr, b"frame= 1\rframe= 2\r".to_vec()),
            (Target::Stdout, b"x".to_vec()),
            (Target::Stderr, b"done\nprompt: ".to_vec()),
        ];
        assert_eq!(chunks.chunks, expected);
    }
}
