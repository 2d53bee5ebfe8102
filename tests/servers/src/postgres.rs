//! A server of PostgreSQL.

use std::{ops::Deref, process::Command, sync::OnceLock};

use nix::sys::signal::Signal;

use crate::{
    PASSWORD, PATIENCE, USER,
    names::unique_name,
    ports::free_port,
    process::{Failed, Process, start_anew},
    programs::{account, attempt, of_postgres, program, run},
};

/// A server that was killed leaves a segment of shared memory behind, and the machine has room for some thousands.
const LAST: &str = "ipcrm -m $(sed -n '7s/.* //p' data/postmaster.pid)";

/// Durable as in production, small, and with nothing outside its folder.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=32MB",
    "max_connections=200",
    "dynamic_shared_memory_type=mmap",
];

/// One server of PostgreSQL.
pub struct Postgres {
    process: Process,
    port: u16,
    settings: Vec<String>,
}

impl Postgres {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with further settings, such as `max_connections=20`.
    #[must_use]
    pub fn with(settings: &[&str]) -> Self {
        start_anew(|| Self::try_start(settings))
    }

    /// One for the whole test program, started by whoever asks first.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn try_start(settings: &[&str]) -> Result<Self, Failed> {
        // To it, SIGTERM means to wait for the clients.
        let process = Process::new("postgres", account("postgres"), Signal::SIGINT, LAST);
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let server = Self { process, port: free_port(), settings };
        let mut install = server.process.command(&of_postgres("initdb"));
        install.args(["--no-sync", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]);
        install.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pgdata=data"]);
        run(&mut install);
        server.begin()?;
        server.sql(&format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'"));
        Ok(server)
    }

    fn begin(&self) -> Result<(), Failed> {
        let mut server = self.process.command(&of_postgres("postgres"));
        server.args(["-D", "data", "-p", &self.port.to_string(), "-k"]).arg(self.process.folder());
        for setting in SETTINGS.into_iter().chain(self.settings.iter().map(String::as_str)) {
            server.args(["-c", setting]);
        }
        self.process.start(&mut server, || self.try_sql("postgres", "SELECT 1").is_ok())
    }

    /// Ends it in order, if it runs, and starts it with the same port and data.
    pub fn restart(&self) {
        self.terminate();
        self.begin().unwrap_or_else(Failed::panic);
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
        self.sql(&format!("CREATE DATABASE {name} OWNER {USER}"));
        self.url(&name)
    }

    /// The address of a database, for the account that tests use.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as its superuser in the database `postgres`, and gives the rows as lines with tabs between the columns.
    ///
    /// # Panics
    ///
    /// Panics if it fails.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("postgres", sql)
    }

    /// Runs SQL as its superuser in a database of that name.
    ///
    /// # Panics
    ///
    /// Panics if it fails.
    pub fn sql_in(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).unwrap_or_else(|error| panic!("{sql} failed: {error}"))
    }

    /// Runs SQL as its superuser in a database; an error if it fails or takes longer than [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// What the client said.
    pub fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut client: Command = self.process.command(&program("timeout"));
        client.arg("--signal=KILL").arg(PATIENCE.as_secs().to_string()).arg(of_postgres("psql"));
        client.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t"]);
        client.args(["--set=ON_ERROR_STOP=1", "--username=postgres", "--port", &self.port.to_string()]);
        client.arg("--host").arg(self.process.folder()).args(["--dbname", database, "--command", sql]);
        attempt(&mut client)
    }
}

impl Deref for Postgres {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
