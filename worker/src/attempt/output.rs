//! Draining a program's pipes, each on a thread of its own that waits for nobody: a program whose pipe is full stands
//! still, whatever the network or the rest of the worker does.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ffleet_protocol::{Timestamp, log::Progress, state::Stream};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{Notify, mpsc};

use super::end::Tail;
use crate::{
    progress::ProgressReader,
    shipping::{Splitter, Spool},
};

/// How long an unfinished line waits for its end; a prompt has none.
const PROMPT_MS: u16 = 500;
/// As much as a pipe holds.
const CHUNK: usize = 64 * 1024;
/// After the program's end its pipes are empty within moments, unless a stranger holds their other ends.
const DRAIN: Duration = Duration::from_secs(2);

/// The pipes of one program while they are drained.
#[derive(Debug)]
pub struct Drains {
    /// Rung once when standard output goes over its limit.
    pub stdout_over: Arc<Notify>,
    tail: Arc<Mutex<Tail>>,
    cut: Arc<AtomicBool>,
    /// Closed when the last thread has ended.
    ended: mpsc::Receiver<()>,
}

/// The pipes of a program that has just been started.
#[derive(Debug)]
pub struct Pipes {
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// What `-progress` writes.
    pub progress: Option<OwnedFd>,
    /// Bytes of standard output that may be delivered.
    pub stdout_max: u64,
}

impl Drains {
    /// Starts draining.
    pub fn start(
        pipes: Pipes,
        spool: &Arc<Spool>,
        tell_progress: impl FnMut(Progress) + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, ended) = mpsc::channel::<()>(1);
        let drains = Self {
            stdout_over: Arc::new(Notify::new()),
            tail: Arc::new(Mutex::new(Tail::default())),
            cut: Arc::new(AtomicBool::new(false)),
            ended,
        };
        let over = Arc::clone(&drains.stdout_over);
        let stdout = Stdout { spool: Arc::clone(spool), over, total: 0, max: pipes.stdout_max };
        drains.spawn("stdout", pipes.stdout, stdout, &alive)?;
        let stderr = Stderr { spool: Arc::clone(spool), tail: Arc::clone(&drains.tail), splitter: Splitter::default() };
        drains.spawn("stderr", pipes.stderr, stderr, &alive)?;
        if let Some(pipe) = pipes.progress {
            let progress = Reports { reader: ProgressReader::default(), tell: tell_progress };
            drains.spawn("progress", pipe, progress, &alive)?;
        }
        Ok(drains)
    }

    fn spawn(&self, name: &str, pipe: OwnedFd, sink: impl Sink + 'static, alive: &mpsc::Sender<()>) -> io::Result<()> {
        let (cut, alive) = (Arc::clone(&self.cut), alive.clone());
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            drain(pipe, sink, &cut);
            drop(alive);
        })?;
        Ok(())
    }

    /// Waits, after the program's end, until everything it wrote has been read; false if some of it was given up.
    pub async fn finish(&mut self) -> bool {
        if tokio::time::timeout(DRAIN, self.ended.recv()).await.is_ok() {
            return true;
        }
        self.cut.store(true, Ordering::Release);
        self.ended.recv().await;
        false
    }

    /// The last lines of stderr.
    #[must_use]
    pub fn tail(&self) -> String {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

/// Where bytes of a pipe go.
trait Sink: Send {
    fn bytes(&mut self, bytes: &[u8]);
    /// Nothing has come for a while, or the pipe has ended.
    fn idle(&mut self) {}
}

fn drain(pipe: OwnedFd, mut sink: impl Sink, cut: &AtomicBool) {
    let mut pipe = File::from(pipe);
    let mut buffer = vec![0; CHUNK];
    while !cut.load(Ordering::Acquire) {
        let mut ready = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::from(PROMPT_MS)) {
            Ok(0) => {
                sink.idle();
                continue;
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => {
                tracing::error!(%error, "a program's pipe cannot be waited for");
                break;
            }
        }
        match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => sink.bytes(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::error!(%error, "a program's pipe cannot be read");
                break;
            }
        }
    }
    sink.idle();
}

struct Stdout {
    spool: Arc<Spool>,
    over: Arc<Notify>,
    total: u64,
    max: u64,
}

impl Sink for Stdout {
    fn bytes(&mut self, bytes: &[u8]) {
        let before = self.total;
        self.total = self.total.saturating_add(bytes.len() as u64);
        if self.total <= self.max {
            self.spool.push(Stream::Stdout, Timestamp::now(), bytes.to_vec(), None);
        } else if before <= self.max {
            // The attempt fails for it; what comes until the program has ended is read and thrown away.
            self.over.notify_one();
        }
    }
}

struct Stderr {
    spool: Arc<Spool>,
    tail: Arc<Mutex<Tail>>,
    splitter: Splitter,
}

impl Stderr {
    fn push(&self, lines: Vec<crate::shipping::Line>) {
        if lines.is_empty() {
            return;
        }
        let at = Timestamp::now();
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().for_each(|line| tail.push(line));
        drop(tail);
        for line in lines {
            self.spool.push(Stream::Stderr, at, line.bytes, line.end);
        }
    }
}

impl Sink for Stderr {
    fn bytes(&mut self, bytes: &[u8]) {
        let mut lines = Vec::new();
        self.splitter.feed(bytes, &mut lines);
        self.push(lines);
    }

    fn idle(&mut self) {
        let rest = self.splitter.flush();
        self.push(rest.into_iter().collect());
    }
}

struct Reports<F> {
    reader: ProgressReader,
    tell: F,
}

impl<F: FnMut(Progress) + Send> Sink for Reports<F> {
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(progress) = self.reader.feed(bytes) {
            (self.tell)(progress);
        }
    }
}
