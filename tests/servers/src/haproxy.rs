//! HAProxy.

use std::{
    fs,
    io::{self, Read, Write},
    net::Shutdown,
    ops::Deref,
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    process::{Failed, Process},
    programs::{attempt, program},
    waits::until,
};

/// One HAProxy: a master, and the workers that carry the connections.
pub struct HaProxy {
    process: Process,
}

impl HaProxy {
    /// Starts one with this configuration, whose ports come from [`crate::free_port`].
    ///
    /// # Panics
    ///
    /// Panics with what HAProxy says about the configuration if it refuses it.
    #[must_use]
    pub fn start(config: &str) -> Self {
        let process = Process::new("haproxy", None, Signal::SIGTERM, "");
        let server = Self { process };
        server.write(config);
        server.begin().unwrap_or_else(Failed::panic);
        server
    }

    fn begin(&self) -> Result<(), Failed> {
        let mut server = self.process.command(&program("haproxy"));
        server.args(["-W", "-db", "-S"]).arg(self.socket()).arg("-f").arg(self.config());
        self.process.start(&mut server, || self.worker().is_some())
    }

    /// Ends it, if it runs, and starts it with the same configuration.
    pub fn restart(&self) {
        self.terminate();
        self.begin().unwrap_or_else(Failed::panic);
    }

    /// Gives it another configuration without losing a connection, and waits until a new worker has it.
    ///
    /// # Panics
    ///
    /// Panics with what HAProxy says about the configuration if it refuses it; then it works on with the old one.
    pub fn reload(&self, config: &str) {
        self.write(config);
        let before = self.worker();
        self.signal(Signal::SIGUSR2);
        until(&format!("HAProxy has a new worker; it said:\n{}", self.log()), || {
            self.worker().is_some_and(|worker| Some(&worker) != before.as_ref())
        });
    }

    /// Gives a command to the worker, such as `show stat` or `disable server databases/first`.
    ///
    /// # Panics
    ///
    /// Panics if nobody answers.
    pub fn tell(&self, command: &str) -> String {
        self.ask(&format!("@1 {command}")).unwrap_or_else(|error| panic!("HAProxy did not answer {command}: {error}"))
    }

    /// The process id of the worker that has the newest configuration.
    fn worker(&self) -> Option<String> {
        let processes = self.ask("show proc").ok()?;
        let line = processes.lines().find(|line| line.split_whitespace().nth(1) == Some("worker"))?;
        line.split_whitespace().next().map(str::to_owned)
    }

    fn ask(&self, command: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        // Otherwise it would wait for another command.
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Writes a configuration that HAProxy has looked at.
    fn write(&self, config: &str) {
        let draft = self.process.file("draft.cfg", config);
        let mut check = self.process.command(&program("haproxy"));
        if let Err(error) = attempt(check.arg("-c").arg("-f").arg(&draft)) {
            panic!("HAProxy refuses its configuration: {error}\n{config}");
        }
        fs::rename(draft, self.config()).expect("our own folder");
    }

    fn config(&self) -> PathBuf {
        self.process.folder().join("haproxy.cfg")
    }

    fn socket(&self) -> PathBuf {
        self.process.folder().join("master")
    }
}

impl Deref for HaProxy {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
