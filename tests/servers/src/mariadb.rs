//! A server of MariaDB.

use std::{
    io::Read,
    ops::Deref,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    PASSWORD, PATIENCE, USER,
    datadir::{LOG_SIZE, data_directory},
    names::unique_name,
    ports::free_port,
    process::{Failed, Process, start_anew},
    programs::{account, attempt, program},
};

/// What every server gets: small buffers, because there are many, and nothing of the machine's own configuration.
const OPTIONS: [&str; 9] = [
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=64M",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=8M",
    "--max-connections=300",
    LOG_SIZE,
];

/// One server of MariaDB.
pub struct MariaDb {
    process: Process,
    port: u16,
    /// Its first options: the usual ones, or the file that has them.
    base: Vec<String>,
    options: Vec<String>,
}

impl MariaDb {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with further options of `mariadbd`, such as `--max-connections=20`.
    #[must_use]
    pub fn with(options: &[&str]) -> Self {
        start_anew(|| {
            let server =
                Self::prepare("mariadb", free_port(), options.iter().map(|option| (*option).to_owned()).collect());
            server.begin(&[]).map(|()| server)
        })
    }

    /// One for the whole test program, started by whoever asks first.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One with data that is not started yet.
    pub(crate) fn prepare(name: &str, port: u16, options: Vec<String>) -> Self {
        let mut base: Vec<_> = OPTIONS.iter().map(|option| (*option).to_owned()).collect();
        base.push(format!("--port={port}"));
        let server = Self { base, ..Self::place(name, port) };
        Self { options, ..server }
    }

    /// One with data and without any options.
    pub(crate) fn place(name: &str, port: u16) -> Self {
        let process = Process::new(name, account("mysql"), Signal::SIGTERM, "");
        let server = Self { process, port, base: Vec::new(), options: Vec::new() };
        data_directory(&server.data());
        server
    }

    /// The same with a file of options, and some besides.
    pub(crate) fn with_file(self, file: &Path, options: Vec<String>) -> Self {
        Self { base: vec![format!("--defaults-file={}", file.display())], options, ..self }
    }

    /// Starts it with `more` options than usual.
    pub(crate) fn begin(&self, more: &[String]) -> Result<(), Failed> {
        self.process.start(&mut self.server(more), || greets(&self.socket()))
    }

    /// Its command line.
    pub(crate) fn server(&self, more: &[String]) -> Command {
        let mut server = self.process.command(&program("mariadbd"));
        server.args(&self.base);
        server.arg(format!("--datadir={}", self.data().display()));
        server.arg(format!("--socket={}", self.socket().display()));
        server.args(&self.options).args(more);
        server
    }

    /// Ends it in order, if it runs, and starts it with the same port and data.
    pub fn restart(&self) {
        self.terminate();
        self.begin(&[]).unwrap_or_else(Failed::panic);
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Creates an empty database with a name of its own, and gives its address.
    #[must_use]
    pub fn database(&self) -> String {
        let name = unique_name();
        self.sql(&create(&name));
        self.url(&name)
    }

    /// The address of a database, for the account that tests use.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as its root, and gives the rows as lines, with tabs between the columns and no heading.
    ///
    /// # Panics
    ///
    /// Panics if it fails.
    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|error| panic!("{sql} failed: {error}"))
    }

    /// Runs SQL as its root; an error if it fails or takes longer than [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// What the client said.
    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        let mut client = self.process.command(&program("timeout"));
        client.arg("--signal=KILL").arg(PATIENCE.as_secs().to_string()).arg(program("mariadb"));
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
        client.arg(format!("--socket={}", self.socket().display())).arg(format!("--execute={sql}"));
        attempt(&mut client)
    }

    /// Everything in a database, as SQL.
    ///
    /// # Errors
    ///
    /// What the tool said.
    pub fn dump(&self, database: &str) -> Result<String, String> {
        let mut tool = self.process.command(&program("mariadb-dump"));
        tool.args(["--no-defaults", "--user=root", "--hex-blob"]).arg(format!("--socket={}", self.socket().display()));
        attempt(tool.arg(database))
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.process.folder().join("data")
    }

    /// Where it hears whoever is on this machine.
    pub(crate) fn socket(&self) -> PathBuf {
        self.process.folder().join("socket")
    }
}

impl Deref for MariaDb {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// Creates a database.
pub(crate) fn create(name: &str) -> String {
    format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")
}

/// Whether a server says hello at `socket`, which nobody but our own can do there.
fn greets(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("not zero");
    let mut greeting = [0; 5];
    // Four bytes of length and number, and the version of the protocol; an error has 255 there.
    stream.read_exact(&mut greeting).is_ok() && greeting[4] == 10
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_port_that_somebody_took_is_not_insisted_on() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).unwrap();
        let taken = listener.local_addr().unwrap().port();
        let mut ports = vec![free_port(), taken, taken];
        let server = start_anew(|| {
            let server = MariaDb::prepare("mariadb", ports.pop().unwrap(), vec![]);
            server.begin(&[]).map(|()| server)
        });
        assert_ne!(server.port(), taken);
        assert_eq!(server.sql("SELECT @@port"), server.port().to_string());
    }
}
