//! What the program can be asked to do, and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ffleet_settings::Overrides;

use crate::commands::{account, check_database, export, import, init, migrate};

/// The ffleet coordinator: owns jobs, tasks, leases and workers.
#[derive(Debug, Parser)]
#[command(name = "ffleet-coordinator", version, after_help = EXAMPLES, args_conflicts_with_subcommands = false)]
pub struct Cli {
    #[command(flatten)]
    pub settings: Settings,

    /// Print the effective configuration as TOML, without secrets, and end
    #[arg(long)]
    pub check_config: bool,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the configuration is, and what is different this time.
#[derive(Debug, Args)]
pub struct Settings {
    /// The configuration file. Otherwise $FFLEET_COORDINATOR_CONFIG, ./coordinator.toml, coordinator.toml in the user's
    /// configuration folder `ffleet`, /etc/ffleet/coordinator.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,

    /// `text` or `json`
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,

    /// error, warn, info, debug, trace, or one for each part
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

impl Settings {
    /// The flags, as the keys of the configuration that they stand for.
    pub fn overrides(&self) -> Overrides {
        Overrides::none()
            .flag("--listen", "listen", self.listen.as_ref())
            .flag("--log-format", "log.format", self.log_format.as_ref())
            .flag("--log-level", "log.level", self.log_level.as_ref())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve clients and workers (this is what happens without a command)
    Serve,
    /// Make a master key and a commented configuration; never overwrites
    Init(init::Args),
    /// Manage accounts directly in the database, running or not
    #[command(subcommand)]
    Account(account::Command),
    // Of these, the help stands with their arguments: a line here would take the place of all of it.
    Check(check_database::Args),
    Migrate(migrate::Args),
    Export(export::Args),
    Import(import::Args),
    /// Write man pages and completions, for installers
    #[command(hide = true)]
    Manual(ffleet_manual::Args),
}

const EXAMPLES: &str = "\
Examples:
  ffleet-coordinator init --dir /etc/ffleet
  ffleet-coordinator account add root --role admin --out root.key
  ffleet-coordinator account add encoder-1 --role worker --out encoder-1.key
  ffleet-coordinator --check-config
  ffleet-coordinator check
  ffleet-coordinator

Every key of the configuration can also be given in the environment: FFLEET_COORDINATOR_LISTEN, or with `__` between
levels, FFLEET_COORDINATOR_TIMING__LEASE_S.

Exit codes:
  0  done, or stopped in order by SIGTERM or SIGINT
  1  it failed; stderr says why and what to do
  2  the command line, the configuration or a key file is wrong
  3  refused: no such account, the name is taken, the last admin; a database that is not empty, or that holds nothing
  130, 143  stopped at once by a second SIGINT or SIGTERM";
