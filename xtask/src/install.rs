//! Installing what demo and test need. What cannot be installed is said in words that can be typed.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::run::{cargo, sh, succeeds};

/// FFmpeg's programs, by Debian's package when they are missing.
pub fn ffmpeg() -> Result<()> {
    let missing = || ["ffmpeg", "ffprobe"].into_iter().filter(|program| !answers(program)).collect();
    debian(&["ffmpeg"], missing)
}

/// Python with the module that makes virtual environments, in which a client that is not ours is tried.
pub fn python() -> Result<()> {
    let has = |module: &str| succeeds(Command::new("python3").args(["-c", &format!("import {module}")]));
    let parts = [("python3", "sys"), ("python3's venv", "venv, ensurepip")];
    let missing = || parts.into_iter().filter(|(_, module)| !has(module)).map(|(what, _)| what).collect();
    debian(&["python3", "python3-venv"], missing)
}

/// The servers that tests start for themselves, and what looks at the files that operators copy. Debian would start them as services too; where that can be told apart, it
/// is told not to.
pub fn servers() -> Result<()> {
    let programs = [
        ("mariadbd", "/usr/sbin/mariadbd"),
        ("galera", "/usr/lib/galera/libgalera_smm.so"),
        ("rsync", "/usr/bin/rsync"),
        ("postgres", "/usr/lib/postgresql"),
        ("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server"),
        ("mosquitto", "/usr/sbin/mosquitto"),
        ("haproxy", "/usr/sbin/haproxy"),
        ("keepalived", "/usr/sbin/keepalived"),
        ("mariabackup", "/usr/bin/mariabackup"),
        ("socat", "/usr/bin/socat"),
        ("curl", "/usr/bin/curl"),
        ("public certificates", "/etc/ssl/certs/ca-certificates.crt"),
        ("systemd-analyze", "/usr/bin/systemd-analyze"),
        ("faketime", "/usr/bin/faketime"),
    ];
    let missing = || programs.into_iter().filter(|(_, path)| !Path::new(path).exists()).map(|(name, _)| name).collect();
    let packages = [
        "mariadb-server",
        "galera-4",
        "rsync",
        "postgresql",
        "rabbitmq-server",
        "mosquitto",
        "haproxy",
        "keepalived",
        "mariadb-backup",
        "socat",
        "curl",
        "ca-certificates",
        "systemd",
        "faketime",
    ];
    debian(&packages, missing)
}

/// Installs Debian's packages when something is missing that they have.
fn debian(packages: &[&str], missing: impl Fn() -> Vec<&'static str>) -> Result<()> {
    let before = missing();
    if before.is_empty() {
        println!("there already: what {} would bring", packages.join(" and "));
        return Ok(());
    }
    println!("missing: {}", before.join(", "));
    let install = ["install", "-y", "--no-install-recommends"];
    let Some(become_root) = root_by() else {
        bail!(
            "{} must be installed first, and this account may not do it. Run as root:\n\n    \
             apt-get update && apt-get {} {}\n",
            before.join(" and "),
            install.join(" "),
            packages.join(" ")
        );
    };
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!("there is no apt-get here; install {} by this system's own means and try again", before.join(" and "));
    }
    sh(&mut apt_get(become_root, &["update"]))?;
    sh(&mut apt_get(become_root, &[&install[..], packages].concat()))?;
    match missing().as_slice() {
        [] => Ok(()),
        still => bail!("{} is still missing after the installation of {}", still.join(" and "), packages.join(" and ")),
    }
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
