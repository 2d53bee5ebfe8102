//! `ffleet completions`

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

/// Print a completion script for a shell
///
/// Examples:
///   ffleet completions bash > /etc/bash_completion.d/ffleet
///   ffleet completions zsh > "${fpath[1]}/_ffleet"
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::Cli::command(), "ffleet", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(0)
}
