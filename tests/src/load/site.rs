//! A coordinator in a folder of its own, as it is released and with the configuration that it has by default.

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::{Line, Signer, Usage, usage};
use crate::{process::die_with_us, setup::clean};

/// How long a program may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether something has happened.
const LOOK: Duration = Duration::from_millis(20);

/// A program that runs beside the generator until it is dropped. What it says goes to a file.
pub struct Program {
    child: Child,
    name: String,
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        die_with_us(command);
        Ok(Self { child: command.spawn()?, name: name.to_owned() })
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> io::Result<Usage> {
        usage(self.child.id())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// When it does not end in time; then it is killed.
    pub async fn stop(&mut self) -> io::Result<()> {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Our own child, which nobody has waited for: the number is still its own.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err(io::Error::other(format!("{} did not end within {PATIENCE:?}", self.name)));
            }
            tokio::time::sleep_until((Instant::now() + LOOK).into()).await;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A coordinator, its database and its accounts: `chief` (admin), `studio` (client) and `farm` (worker).
pub struct Site {
    dir: Arc<TempDir>,
    programs: PathBuf,
    address: SocketAddr,
    /// What is configured besides the address and the database.
    more: String,
    coordinator: Option<Program>,
}

impl Site {
    /// A fresh one in a folder under `at`, with the programs that lie in `programs`. `more` is added to the configuration.
    ///
    /// # Errors
    /// When a program cannot be run or does not answer.
    pub async fn start(at: &Path, programs: &Path, more: &str) -> io::Result<Self> {
        Self::on(at, programs, None, more).await
    }

    /// The same with its database at a server.
    ///
    /// # Errors
    /// As [`Site::start`].
    pub async fn on(at: &Path, programs: &Path, url: Option<&str>, more: &str) -> io::Result<Self> {
        fs::create_dir_all(at)?;
        let dir = Arc::new(tempfile::Builder::new().prefix("site-").tempdir_in(at)?);
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut site = Self { dir, programs: programs.to_owned(), address, more: more.to_owned(), coordinator: None };
        for name in ["keys", "logs", "media"] {
            fs::create_dir_all(site.path(name))?;
        }
        site.configure(url)?;
        site.administer(&["init", "--dir", &site.path("keys").to_string_lossy()])?;
        for (name, role) in [("chief", "admin"), ("studio", "client"), ("farm", "worker")] {
            let key = site.key(name);
            site.administer(&["account", "add", name, "--role", role, "--out", &key.to_string_lossy()])?;
        }
        site.serve().await?;
        Ok(site)
    }

    /// Another coordinator of the same installation, which reaches the database by `url`.
    ///
    /// # Errors
    /// As [`Site::start`].
    pub async fn another(&self, url: &str) -> io::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (dir, programs, more) = (self.dir.clone(), self.programs.clone(), self.more.clone());
        let mut site = Self { dir, programs, address, more, coordinator: None };
        site.configure(Some(url))?;
        site.serve().await?;
        Ok(site)
    }

    fn configure(&self, url: Option<&str>) -> io::Result<()> {
        let url = url.map_or_else(|| format!("sqlite://{}", self.database().display()), str::to_owned);
        let config = format!(
            "listen = \"{}\"\n\n[database]\nurl = {url:?}\n\n[master_key]\nfile = \"{}\"\n\n[timing]\nlinger_s = 0\n\n{}\n",
            self.address,
            self.path("keys/master.key").display(),
            self.more,
        );
        fs::write(self.config(), config)
    }

    fn config(&self) -> PathBuf {
        self.path(&format!("coordinator-{}.toml", self.address.port()))
    }

    /// A place in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path("ffleet.db")
    }

    /// Where an account's key lies.
    #[must_use]
    pub fn key(&self, account: &str) -> PathBuf {
        self.path("keys").join(format!("{account}.key"))
    }

    /// Where the coordinator listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A program with nothing in its environment but what programs need.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        clean(&self.programs.join(program), self.dir.path())
    }

    /// Signs as an account.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn signer(&self, account: &str) -> io::Result<Signer> {
        Signer::new(&self.key(account), self.address)
    }

    /// A connection to the coordinator.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn line(&self) -> io::Result<Line> {
        Line::open(self.address).await
    }

    /// What the coordinator has used so far.
    ///
    /// # Errors
    /// When it does not run.
    pub fn usage(&self) -> io::Result<Usage> {
        self.coordinator.as_ref().ok_or_else(|| io::Error::other("it does not run"))?.usage()
    }

    /// The coordinator's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.coordinator.as_ref().map_or(0, Program::pid)
    }

    /// Stops the coordinator; nobody but the caller has the database open then.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn pause(&mut self) -> io::Result<()> {
        match self.coordinator.take() {
            Some(mut running) => running.stop().await,
            None => Ok(()),
        }
    }

    /// Starts the coordinator again.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn serve(&mut self) -> io::Result<()> {
        let mut command = self.command("ffleet-coordinator");
        command.env("FFLEET_COORDINATOR_CONFIG", self.config()).arg("serve");
        let log = self.path(&format!("logs/coordinator-{}.log", self.address.port()));
        let mut program = Program::start("the coordinator", &mut command, &log)?;
        let until = Instant::now() + PATIENCE;
        while Line::open(self.address).await.is_err() {
            if program.child.try_wait()?.is_some() || Instant::now() > until {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(io::Error::other(format!("the coordinator does not answer; it said:\n{said}")));
            }
            tokio::time::sleep_until((Instant::now() + LOOK).into()).await;
        }
        self.coordinator = Some(program);
        Ok(())
    }

    /// Starts a worker, the released program, and waits until it has registered.
    ///
    /// # Errors
    /// When it cannot be started or does not register.
    pub async fn worker(&self, name: &str, more: &str) -> io::Result<Program> {
        let (config, log) = (self.path(&format!("{name}.toml")), self.path(&format!("logs/{name}.log")));
        let state = self.path(&format!("{name}-state"));
        fs::create_dir_all(&state)?;
        let text = format!(
            "id = {name:?}\ncoordinators = [\"http://{}\"]\nkey_file = {:?}\nstate_dir = {state:?}\n{more}\n",
            self.address,
            self.key("farm")
        );
        fs::write(&config, text)?;
        File::create(&log)?;
        let mut command = self.command("ffleet-worker");
        command.env("FFLEET_WORKER_CONFIG", &config);
        let mut program = Program::start(name, &mut command, &log)?;
        let until = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(&log)?;
            if said.contains(&format!("registered as {name}")) {
                return Ok(program);
            }
            if program.child.try_wait()?.is_some() || Instant::now() > until {
                return Err(io::Error::other(format!("{name} did not register; it said:\n{said}")));
            }
            tokio::time::sleep_until((Instant::now() + LOOK).into()).await;
        }
    }

    /// Writes the configuration of the program `ffleet` for the account `studio`, and gives its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn client_config(&self) -> io::Result<PathBuf> {
        let path = self.path("ffleet.toml");
        let text = format!(
            "coordinators = [\"http://{}\"]\nkey_file = {:?}\n\n[paths]\nMedia = {:?}\n",
            self.address,
            self.key("studio"),
            self.path("media")
        );
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    fn administer(&self, args: &[&str]) -> io::Result<()> {
        let mut command = self.command("ffleet-coordinator");
        command.env("FFLEET_COORDINATOR_CONFIG", self.config()).args(args);
        let done = command.output()?;
        if done.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr))))
    }
}
