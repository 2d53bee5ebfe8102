//! A server of RabbitMQ.

use std::{
    fmt::Write,
    net::{Ipv4Addr, TcpStream},
    ops::Deref,
    path::Path,
    process::Command,
    sync::{Arc, OnceLock},
};

use nix::sys::signal::Signal;

use crate::{
    PATIENCE,
    ports::free_port,
    process::{Failed, Process, start_anew},
    programs::{account, attempt, of_rabbitmq, program},
};

/// What a node says when its clients may come.
const READY: &str = "Server startup complete";

/// One server of RabbitMQ.
pub struct RabbitMq {
    process: Process,
    names: Arc<Names>,
    name: String,
    port: u16,
    /// Where other nodes and `rabbitmqctl` reach it.
    distribution: u16,
}

/// Erlang's register of nodes. The one of the machine is left alone.
pub(crate) struct Names {
    process: Process,
    port: u16,
}

impl RabbitMq {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts one with further lines of `rabbitmq.conf`.
    #[must_use]
    pub fn with(config: &str) -> Self {
        start_anew(|| {
            let server = Self::prepare(&Arc::new(Names::start()?), "rabbit", config);
            server.begin().map(|()| server)
        })
    }

    /// One for the whole test program, started by whoever asks first.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One that is not started yet. Those that have the same register know each other by `name`.
    pub(crate) fn prepare(names: &Arc<Names>, name: &str, config: &str) -> Self {
        let server = Self::place(names, name);
        let own = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\n\
             log.file = false\n\
             log.console = true\n\
             log.console.use_colors = off\n\
             disk_free_limit.absolute = 100MB\n\
             {config}\n",
            server.port
        );
        server.process.file("rabbitmq.conf", &own);
        server
    }

    /// The same without a configuration.
    pub(crate) fn place(names: &Arc<Names>, name: &str) -> Self {
        let process = Process::new("rabbitmq", account("rabbitmq"), Signal::SIGTERM, "");
        let (names, name) = (Arc::clone(names), format!("{name}@localhost"));
        process.file("plugins", "[].\n");
        process.file(".erlang.cookie", "one-secret-for-all-tests");
        Self { process, names, name, port: free_port(), distribution: free_port() }
    }

    pub(crate) fn begin(&self) -> Result<(), Failed> {
        let mut server = self.command(&of_rabbitmq("rabbitmq-server"));
        // It would run the server as a child otherwise, and signals would not reach it.
        server.env("detached", "yes");
        let already = self.log().len();
        self.process.start(&mut server, || self.log_since(already).contains(READY))
    }

    /// Ends it in order, if it runs, and starts it with the same ports and data.
    pub fn restart(&self) {
        self.terminate();
        self.begin().unwrap_or_else(Failed::panic);
    }

    /// Its port for clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its name as a node, such as `rabbit@localhost`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address for this account in this virtual host. There is `guest` with the password `guest` in `/`.
    #[must_use]
    pub fn url(&self, user: &str, password: &str, host: &str) -> String {
        let [user, password, host] = [user, password, host].map(percent);
        format!("amqp://{user}:{password}@127.0.0.1:{}/{host}", self.port)
    }

    /// Makes an account that may do everything in this virtual host, which is made as well if it is missing.
    pub fn add_user(&self, user: &str, password: &str, host: &str) {
        if host != "/" {
            self.ctl(&["add_vhost", host]);
        }
        self.ctl(&["add_user", user, password]);
        self.ctl(&["set_permissions", "--vhost", host, user, ".*", ".*", ".*"]);
    }

    /// Runs `rabbitmqctl`, and gives what it says, without headings.
    ///
    /// # Panics
    ///
    /// Panics if it fails.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        self.try_ctl(arguments).unwrap_or_else(|error| panic!("rabbitmqctl {arguments:?} failed: {error}"))
    }

    /// Runs `rabbitmqctl`; an error if it fails or takes longer than [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// What it said.
    pub fn try_ctl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut ctl = self.command(&program("timeout"));
        ctl.arg("--signal=KILL").arg(PATIENCE.as_secs().to_string()).arg(of_rabbitmq("rabbitmqctl"));
        attempt(ctl.args(["--node", &self.name, "--silent"]).args(arguments))
    }

    /// The server, or its tool; both look into the same variables.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = self.process.command(program);
        let folder = self.process.folder();
        for (variable, file) in [
            ("MNESIA_BASE", "data"),
            ("LOG_BASE", "logs"),
            ("PID_FILE", "pid"),
            ("CONFIG_FILE", "rabbitmq.conf"),
            ("ADVANCED_CONFIG_FILE", "advanced.config"),
            ("GENERATED_CONFIG_DIR", "generated"),
            ("ENABLED_PLUGINS_FILE", "plugins"),
            ("FEATURE_FLAGS_FILE", "features"),
        ] {
            command.env(format!("RABBITMQ_{variable}"), folder.join(file));
        }
        let loopback = "-kernel inet_dist_use_interface {127,0,0,1}";
        command.env("RABBITMQ_CONF_ENV_FILE", "/dev/null").env("RABBITMQ_NODENAME", &self.name);
        command.env("RABBITMQ_DIST_PORT", self.distribution.to_string());
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", format!("{loopback} +S 2:2 +sbwt none"));
        command.env("RABBITMQ_CTL_ERL_ARGS", loopback);
        // Any port: ten of them would be all there is for the tools of all tests.
        command.env("RABBITMQ_CTL_DIST_PORT_MIN", "0").env("RABBITMQ_CTL_DIST_PORT_MAX", "0");
        command.env("ERL_EPMD_ADDRESS", "127.0.0.1").env("ERL_EPMD_PORT", self.names.port.to_string());
        command
    }
}

impl Deref for RabbitMq {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Names {
    pub(crate) fn start() -> Result<Self, Failed> {
        let names = Self { process: Process::new("epmd", account("rabbitmq"), Signal::SIGTERM, ""), port: free_port() };
        let mut register = names.process.command(&program("epmd"));
        register.args(["-address", "127.0.0.1", "-port", &names.port.to_string()]);
        names.process.start(&mut register, || TcpStream::connect((Ipv4Addr::LOCALHOST, names.port)).is_ok())?;
        Ok(names)
    }
}

/// As in the parts of an address, where a virtual host called `/` would end something.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut written, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            let _ = write!(written, "%{byte:02X}");
        }
        written
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_addresses_want_them() {
        assert_eq!(percent("/"), "%2F");
        assert_eq!(percent("a-b.c_d~e1"), "a-b.c_d~e1");
        assert_eq!(percent("p@ss:é"), "p%40ss%3A%C3%A9");
    }
}
