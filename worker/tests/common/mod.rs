//! What the tests with real processes share.

#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod fake;

use std::{
    ffi::OsString,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ffleet_protocol::{log::Record, state::Stream};
use ffleet_worker::{
    attempt::output::{Drains, Pipes},
    process::{MarkPrefix, Orphans, Program, Running, Starter, base_environment},
    shipping::{Budget, Spool, SpoolFile},
};

/// Long enough for anything on a busy machine; only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn starter() -> Starter {
    Starter::new(Orphans::LeaveToInit).unwrap()
}

/// A program with a mark of its own: what carries the same mark dies together.
pub fn program(file: &str, args: &[&str]) -> Program {
    Program {
        file: PathBuf::from(file),
        args: args.iter().map(OsString::from).collect(),
        dir: PathBuf::from("/"),
        environment: base_environment([]),
        mark: MarkPrefix::new("test").mark(&uuid::Uuid::new_v4().to_string()),
        inherited: None,
    }
}

/// A shell script. `$1` and so on are `args`.
pub fn script(text: &str, args: &[&Path]) -> Program {
    let mut program = program("/bin/sh", &["-c", text, "sh"]);
    program.args.extend(args.iter().map(OsString::from));
    program
}

/// A named pipe. Whoever holds it open for writing is alive.
pub fn fifo(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    path
}

/// Does something that may block for ever, on a thread that no runtime waits for.
pub async fn blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, done) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || told.send(what()));
    tokio::time::timeout(PATIENCE, done).await.expect("it takes for ever").unwrap()
}

/// Waits until somebody has written into a named pipe and everybody who held it open is dead; what was written.
pub async fn until_closed(fifo: PathBuf) -> String {
    blocking(move || std::fs::read_to_string(fifo).unwrap()).await
}

/// Waits until somebody writes a line into a named pipe; the line, and the pipe to read on.
pub async fn first_line(fifo: PathBuf) -> (String, BufReader<File>) {
    line_of(blocking(move || File::open(fifo).unwrap()).await).await
}

/// Waits for the first line of a pipe; the line, and the pipe to read on.
pub async fn line_of(pipe: impl Into<File>) -> (String, BufReader<File>) {
    let mut pipe = BufReader::new(pipe.into());
    blocking(move || {
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        (line.trim_end().to_owned(), pipe)
    })
    .await
}

/// Reads to the end.
pub async fn read(mut pipe: impl Read + Send + 'static) -> Vec<u8> {
    blocking(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
    .await
}

/// Drains a running program into a spool.
pub fn drained(running: Running, folder: &tempfile::TempDir) -> (ffleet_worker::process::Control, Drains, Arc<Spool>) {
    let place = SpoolFile {
        path: folder.path().join("spool.ndjson"),
        memory: 64 * 1024,
        budget: Arc::new(Budget::new(1 << 30)),
    };
    let spool = Arc::new(Spool::new(place, 1));
    let pipes = Pipes { stdout: running.stdout, stderr: running.stderr, progress: None, stdout_max: u64::MAX };
    let drains = Drains::start(pipes, &spool, |_| {}).unwrap();
    (running.control, drains, spool)
}

/// Everything in a spool, in order.
pub fn records(spool: &Spool) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let batch = spool.batch(1 << 20);
        let Some(last) = batch.last() else { return all };
        spool.settle(last.last_seq() + 1);
        all.extend(batch);
    }
}

/// The bytes of one stream.
pub fn bytes(records: &[Record], stream: Stream) -> Vec<u8> {
    records.iter().filter(|record| record.stream == stream).flat_map(|record| record.data.bytes().unwrap()).collect()
}
