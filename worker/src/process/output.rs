//! Running a short program for what it prints.

use std::{os::fd::OwnedFd, time::Duration};

use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver};

use super::{Ended, Program, StartProblem, Starter};

/// More is read and thrown away.
const LIMIT: usize = 64 * 1024;

/// What a short program printed.
#[derive(Debug)]
pub struct Printed {
    /// How it ended; nothing when it was killed because its time was over.
    pub ended: Option<Ended>,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
}

/// Runs a program to its end, or until its time is over. It is killed as well when this is dropped.
pub async fn printed(starter: &Starter, program: Program, limit: Duration) -> Result<Printed, StartProblem> {
    let running = starter.start(program).await?;
    let child = KillOnDrop(running.control.clone());
    let (stdout, stderr) = (tokio::spawn(read(running.stdout)), tokio::spawn(read(running.stderr)));
    let ended = tokio::time::timeout(limit, child.0.ended()).await.ok();
    if ended.is_none() {
        child.0.kill();
        child.0.ended().await;
    }
    Ok(Printed { ended, stdout: soon(stdout).await, stderr: soon(stderr).await })
}

/// Kills a child that nobody looks after any more.
pub struct KillOnDrop(pub super::Control);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Nothing is reached when it has ended.
        self.0.kill();
    }
}

async fn read(pipe: OwnedFd) -> Vec<u8> {
    let Ok(mut pipe) = Receiver::from_owned_fd(pipe) else { return Vec::new() };
    let mut kept = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = LIMIT - kept.len();
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
    kept
}

/// The whole tree is dead, so the end of the pipe is there already, unless a stranger holds it.
async fn soon(reading: tokio::task::JoinHandle<Vec<u8>>) -> Vec<u8> {
    let abort = reading.abort_handle();
    match tokio::time::timeout(Duration::from_secs(2), reading).await {
        Ok(read) => read.unwrap_or_default(),
        Err(_) => {
            abort.abort();
            Vec::new()
        }
    }
}
