//! Installing what demo and test need. What cannot be installed is said in words that can be typed.

use std::process::Command;

use anyhow::{Result, bail};

use crate::run::{cargo, sh, succeeds};

/// FFmpeg's programs, by Debian's package when they are missing.
pub fn ffmpeg() -> Result<()> {
    let missing: Vec<_> = ["ffmpeg", "ffprobe"].into_iter().filter(|program| !answers(program)).collect();
    if missing.is_empty() {
        println!("ffmpeg and ffprobe are there");
        return Ok(());
    }
    println!("missing: {}", missing.join(", "));
    let Some(become_root) = root_by() else {
        bail!(
            "{} must be installed first, and this account may not do it. Run as root:\n\n    \
             apt-get update && apt-get install -y --no-install-recommends ffmpeg\n",
            missing.join(" and ")
        );
    };
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!("there is no apt-get here; install ffmpeg (with ffprobe) by this system's own means and try again");
    }
    sh(&mut apt_get(become_root, &["update"]))?;
    sh(&mut apt_get(become_root, &["install", "-y", "--no-install-recommends", "ffmpeg"]))?;
    for program in missing {
        if !answers(program) {
            bail!("{program} is still not to be found in PATH after the installation of ffmpeg");
        }
    }
    Ok(())
}

/// The parts of the toolchain that only checking needs.
pub fn toolchain() -> Result<()> {
    let missing: Vec<_> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(subcommand, _)| !succeeds(cargo([*subcommand, "--version"]).current_dir("/")))
        .map(|(_, component)| component)
        .collect();
    if missing.is_empty() {
        println!("rustfmt and clippy are there");
        return Ok(());
    }
    bail!("{} must be installed first:\n\n    rustup component add {}\n", missing.join(" and "), missing.join(" "));
}

fn answers(program: &str) -> bool {
    succeeds(Command::new(program).arg("-version"))
}

/// What to put before a command so that it runs as root; nothing for root itself, `None` when there is no way.
fn root_by() -> Option<&'static [&'static str]> {
    if nix::unistd::geteuid().is_root() {
        Some(&[])
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        Some(&["sudo", "-n"])
    } else {
        None
    }
}

fn apt_get(become_root: &[&str], args: &[&str]) -> Command {
    let words: Vec<&str> =
        become_root.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]).collect();
    let mut command = Command::new(words.first().copied().unwrap_or("apt-get"));
    command.args(words.iter().skip(1)).args(args);
    command
}
