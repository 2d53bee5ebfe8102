//! Mosquitto, a small broker of MQTT.

use std::{ops::Deref, path::PathBuf, process::Command};

use nix::{sys::signal::Signal, unistd::geteuid};

use crate::{
    ports::free_port,
    process::{Failed, Process, start_anew},
    programs::{program, run},
    waits::until,
};

/// One Mosquitto.
pub struct Mosquitto {
    process: Process,
    port: u16,
}

impl Mosquitto {
    /// Starts one with further lines of configuration, such as `allow_anonymous true`. Without any, it lets nobody in.
    #[must_use]
    pub fn start(config: &str) -> Self {
        Self::with_users(&[], config)
    }

    /// Starts one that lets in whoever has one of these names and the password with it, with further lines of
    /// configuration.
    #[must_use]
    pub fn with_users(users: &[(&str, &str)], config: &str) -> Self {
        start_anew(|| {
            let server = Self::place();
            server.write(users, config);
            server.begin().map(|()| server)
        })
    }

    /// One with a place and a port, and nothing else.
    pub(crate) fn place() -> Self {
        Self { process: Process::new("mosquitto", None, Signal::SIGTERM, ""), port: free_port() }
    }

    pub(crate) fn begin(&self) -> Result<(), Failed> {
        let mut server: Command = self.process.command(&program("mosquitto"));
        let already = self.log().len();
        self.process.start(server.args(["-c", "mosquitto.conf"]), || {
            let said = self.log_since(already);
            said.lines().any(|line| line.contains("mosquitto version") && line.ends_with("running"))
        })
    }

    /// Ends it in order, if it runs, and starts it with the same port. What it remembers is up to its configuration.
    pub fn restart(&self) {
        self.terminate();
        self.begin().unwrap_or_else(Failed::panic);
    }

    /// Gives it other accounts and other lines of configuration. Connections stay; some lines need a restart.
    pub fn reload(&self, users: &[(&str, &str)], config: &str) {
        let already = self.log().len();
        self.write(users, config);
        self.signal(Signal::SIGHUP);
        until("Mosquitto has read its configuration", || self.log_since(already).contains("Reloading config"));
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    fn write(&self, users: &[(&str, &str)], config: &str) {
        let mut own =
            format!("log_dest stderr\nset_tcp_nodelay true\npersistence_location {}/\n", self.folder().display());
        if geteuid().is_root() {
            own += "user root\n";
        }
        if !users.is_empty() {
            own += &format!("password_file {}\n", self.passwords(users).display());
        }
        own += &format!("listener {} 127.0.0.1\n{config}\n", self.port);
        self.process.file("mosquitto.conf", &own);
    }

    /// A file with these accounts.
    pub(crate) fn passwords(&self, users: &[(&str, &str)]) -> PathBuf {
        let passwords = self.process.file("passwords", "");
        for (user, password) in users {
            let mut add = self.process.command(&program("mosquitto_passwd"));
            run(add.arg("-b").arg(&passwords).args([user, password]));
        }
        passwords
    }
}

impl Deref for Mosquitto {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
