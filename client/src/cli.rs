//! The command line as a whole. Each command's own arguments stand in its file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    commands::{account, completions, config_check, janitor, job, status, submit, top, worker},
    dropin,
};

const LONG_ABOUT: &str = "Runs FFmpeg on a fleet: submits commands to a coordinator, follows them as if they ran here, \
    and ends with their exit code.";

const AFTER_HELP: &str = "\
Examples:
  ffleet submit -- -i /mnt/media/in.mkv -c:v libx264 /mnt/media/out.mp4
  ffleet submit --binary ffprobe -- -of json -show_format /mnt/media/in.mkv
  ffleet submit --detach -- -i in.mkv out.mp4     prints the job's id and returns
  ffleet job attach last                          follows the job submitted last
  ffleet job explain 01997                        says why a job does not run yet
  ffleet submit --each-file 'in/*.mkv' --output 'out/{stem}.mp4' -- -c:v libx264
                                                  a job for each file; again: only for what is missing

Exit codes of submit, attach and wait:
  0..255    FFmpeg's own
  125       ffleet failed, or the job failed without an exit code of its own
  130       the job was canceled
  128+n     the program was killed by signal n
Every other command ends with 0, or with 125 when it failed.

Configuration: --config, else $FFLEET_CONFIG, else ./ffleet.toml, else ffleet/ffleet.toml in the user's \
configuration folder, else /etc/ffleet/ffleet.toml. Every key can be given in the environment too, such as \
FFLEET_KEY_FILE.";

/// Runs FFmpeg on a fleet.
#[derive(Debug, Parser)]
#[command(name = "ffleet", version, long_about = LONG_ABOUT, after_long_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// A coordinator's address, such as http://farm:8461; several are tried in turn
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub coordinator: Vec<String>,
    /// The file with the key that signs requests, one line KEYID:SECRET
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub key_file: Option<PathBuf>,
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Print JSON, one object per line
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Submit(Box<submit::Args>),
    /// Be FFmpeg itself, run on the fleet: everything that follows is its own
    Ffmpeg(dropin::Args),
    /// The same for ffprobe
    Ffprobe(dropin::Args),
    /// See and steer jobs
    #[command(subcommand)]
    Job(job::Command),
    /// See and steer workers
    #[command(subcommand)]
    Worker(worker::Command),
    Status(status::Args),
    Top(top::Args),
    /// Manage accounts and their keys (for admins)
    #[command(subcommand)]
    Account(account::Command),
    Janitor(janitor::Args),
    /// Check the configuration
    #[command(subcommand)]
    Config(config_check::Command),
    Completions(completions::Args),
    /// Write man pages and completions, for installers
    #[command(hide = true)]
    Manual(ffleet_manual::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
