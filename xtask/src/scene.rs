//! Everything the demo puts on the machine for a minute: a folder and two servers. Dropping it takes all of it away
//! again, however the demo ends.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::run::{interrupted, stop};

/// How long a server may take to say that it is ready.
const READY: Duration = Duration::from_secs(20);
/// How long a server may take to stop when it is asked to.
const PATIENCE: Duration = Duration::from_secs(9);

/// A temporary folder and the servers that work in it.
pub struct Scene {
    dir: TempDir,
    servers: Vec<Server>,
}

struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Scene {
    /// An empty folder, readable by nobody else: keys will lie in it.
    pub fn new() -> Result<Self> {
        let dir =
            tempfile::Builder::new().prefix("ffleet-demo-").tempdir().context("cannot make a temporary folder")?;
        Ok(Self { dir, servers: Vec::new() })
    }

    /// A path inside the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a folder inside the folder.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Writes a text file inside the folder.
    pub fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Starts a server and waits until its log has a line with `ready` in it; gives that line.
    pub fn serve(&mut self, name: &'static str, command: &mut Command, ready: &str) -> Result<String> {
        let log = self.path(&format!("{name}.log"));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        // Its own process group: a Ctrl-C on the terminal is for us and for `ffleet submit`, which cancels its job and
        // needs both servers for that. They are stopped afterwards.
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        self.servers.push(Server { name, child, log });
        let Some(server) = self.servers.last_mut() else { bail!("a server went missing") };
        let begun = Instant::now();
        loop {
            // Only whole lines: half a port number looks like a port number.
            let text = fs::read_to_string(&server.log).unwrap_or_default();
            let mut whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            if let Some(line) = whole.find(|line| line.contains(ready)) {
                return Ok(line.trim_end().to_owned());
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("the {name} ended with {status} before it was ready");
            }
            if interrupted() {
                bail!("interrupted");
            }
            if begun.elapsed() > READY {
                bail!("the {name} did not say {ready:?} within {} s", READY.as_secs());
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Stops the servers, the last one first, and says when one had to be killed.
    pub fn stop(&mut self) -> Result<()> {
        while let Some(mut server) = self.servers.pop() {
            let status = stop(&mut server.child, PATIENCE)?;
            if !status.success() {
                show_log(&server);
                bail!("the {} ended with {status} when it was asked to stop", server.name);
            }
        }
        Ok(())
    }

    /// Shows the last lines of what the servers said.
    pub fn show_logs(&self) {
        for server in &self.servers {
            show_log(server);
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        while let Some(mut server) = self.servers.pop() {
            // Whatever goes wrong here, the next one still has to be stopped.
            if let Err(error) = stop(&mut server.child, PATIENCE) {
                eprintln!("the {} may still run (process {}): {error:#}", server.name, server.child.id());
            }
        }
    }
}

fn show_log(server: &Server) {
    eprintln!("\n-- the last lines of the {}'s log:", server.name);
    match tail(&server.log) {
        Ok(text) => eprintln!("{}", text.trim_end()),
        Err(error) => eprintln!("(it cannot be read: {error})"),
    }
}

fn tail(log: &Path) -> Result<String> {
    const SHOWN: u64 = 6 * 1024;
    let mut file = File::open(log)?;
    let from = file.metadata()?.len().saturating_sub(SHOWN);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
