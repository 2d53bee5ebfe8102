//! `cargo xtask install`: the three programs with their man pages and completions, below one folder.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::run::{built, cargo, catch_interruptions, sh, step};

const PROGRAMS: [&str; 3] = ["ffleet", "ffleet-coordinator", "ffleet-worker"];
/// The names under which `ffleet` behaves as the program itself.
const DROP_IN: [&str; 2] = ["ffmpeg", "ffprobe"];

const EXAMPLES: &str = "\
Examples:
  cargo xtask install --prefix ~/.local              programs, man pages and completions for one user
  sudo -E cargo xtask install --prefix /usr/local    for everybody
  cargo xtask install --prefix /opt/ffleet --drop-in
                       besides, ffmpeg and ffprobe in /opt/ffleet/bin that run on the fleet";

/// Build the three programs and install them with their man pages and completions
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where to: DIR/bin, DIR/share/man, and where the shells look below DIR/share
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Also make DIR/bin/ffmpeg and DIR/bin/ffprobe, links to ffleet
    #[arg(long)]
    drop_in: bool,
    /// Install the programs that lie in this folder, and build none
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// Builds unless told not to, and installs. Installing again replaces what was installed.
pub fn run(args: &Args) -> Result<()> {
    catch_interruptions()?;
    let from = match &args.programs {
        Some(folder) => folder.clone(),
        None => step("build", build)?,
    };
    step("install", || place(&from, &args.prefix, args.drop_in))
}

fn build() -> Result<PathBuf> {
    let packages = PROGRAMS.map(|program| if program == "ffleet" { "ffleet-client" } else { program });
    let mut command = cargo(["build", "--release", "--locked", "--bins"]);
    sh(command.args(packages.map(|package| format!("--package={package}"))))?;
    // Beside the folder of this program, which is a debug build.
    Ok(built()?.with_file_name("release"))
}

fn place(from: &Path, prefix: &Path, drop_in: bool) -> Result<()> {
    let prefix = std::path::absolute(prefix)?;
    let bin = prefix.join("bin");
    // Everything that may be wrong is looked at before anything is changed.
    for program in PROGRAMS.map(|program| from.join(program)) {
        if !program.is_file() {
            bail!("{} is not there; leave --programs away to build it", program.display());
        }
    }
    for name in DROP_IN.iter().filter(|_| drop_in) {
        refuse_to_replace(&bin.join(name))?;
    }
    fs::create_dir_all(&bin).with_context(|| bin.display().to_string())?;
    for program in PROGRAMS {
        let to = bin.join(program);
        put(&to, |draft| fs::copy(from.join(program), draft).map(drop))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
        sh(Command::new(&to).args(["manual", "--prefix"]).arg(&prefix))?;
    }
    for name in DROP_IN.iter().filter(|_| drop_in) {
        put(&bin.join(name), |draft| symlink("ffleet", draft))?;
    }
    println!("installed in {}: {}", bin.display(), PROGRAMS.join(", "));
    println!("`man ffleet` and the completions are found where {}/bin is in PATH", prefix.display());
    Ok(())
}

/// A program that somebody else put there is not ours to replace.
fn refuse_to_replace(link: &Path) -> Result<()> {
    let foreign = match fs::read_link(link) {
        Ok(target) => target != Path::new("ffleet"),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if foreign {
        bail!("{} is there and is not ours; move it away, or install with another --prefix", link.display());
    }
    Ok(())
}

/// Makes a file under another name first: what runs goes on with what it was started from, and nobody meets half of it.
fn put(to: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let draft = to.with_extension(format!("new-{}", std::process::id()));
    let made = make(&draft).and_then(|()| fs::rename(&draft, to));
    if made.is_err() {
        // That it cannot be removed changes nothing about the first error.
        let _ = fs::remove_file(&draft);
    }
    made.with_context(|| to.display().to_string())
}
