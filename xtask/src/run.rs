//! Running programs: headings with times, interruption, and ends that name the command that failed.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The root of the repository.
pub fn root() -> PathBuf {
    // Cargo sets the variable when it runs us; the other one is where we were compiled.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().map_or(manifest.clone(), Path::to_path_buf)
}

/// The folder that this program was built into; the product's programs lie beside it.
pub fn built() -> Result<PathBuf> {
    let me = env::current_exe().context("cannot tell where this program lies")?;
    Ok(me.parent().context("this program lies in no folder")?.to_path_buf())
}

/// The cargo that runs us, or the one in `PATH`, working in the repository.
pub fn cargo<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    // What cargo set for us would look like a change to build scripts that watch it.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        command.env_remove(name);
    }
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    command
}

/// Does one step under a heading and says how long it took.
pub fn step<T>(heading: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n== {heading}");
    let begun = Instant::now();
    let done = work();
    let took = begun.elapsed().as_secs_f64();
    match &done {
        Ok(_) => println!("== {heading}: done in {took:.1} s"),
        Err(_) => println!("== {heading}: failed after {took:.1} s"),
    }
    done
}

/// Runs a command to its end on this terminal; an end that is not good is an error that names it.
pub fn sh(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    quietly(command)
}

/// The same without a word of ours, for whoever reads standard output by a program.
pub fn quietly(command: &mut Command) -> Result<()> {
    let mut child = command.spawn().with_context(|| format!("cannot start {}", shown(command)))?;
    let status = wait(&mut child)?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command for its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !out.status.success() {
        bail!("{} ended with {}\n{}", shown(command), out.status, String::from_utf8_lossy(&out.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Whether a command can be started and ends well, with nothing shown.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Waits for a child. When somebody interrupts us meanwhile, the child is told as well, once, and waited for.
pub fn wait(child: &mut Child) -> Result<ExitStatus> {
    // A Ctrl-C on the terminal has reached the child already, and a second one would mean "at once" to some. Only when
    // it goes on all the same was it sent to us alone.
    const AFTER_CTRL_C: Duration = Duration::from_secs(3);
    let mut tell_at = None;
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Some(number) = interruption() {
            let delay = if number == SIGINT { AFTER_CTRL_C } else { Duration::ZERO };
            if !told && Instant::now() >= *tell_at.get_or_insert_with(|| Instant::now() + delay) {
                told = true;
                // What Ctrl-C is to a program: `ffleet submit` cancels its job then, and waits for that.
                signal(child, Signal::SIGINT);
            }
        }
        thread::park_timeout(Duration::from_millis(30));
    }
}

/// Stops a child: asks, asks again as somebody in a hurry would, and kills it when its time is over. It is gone when this
/// returns.
pub fn stop(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let begun = Instant::now();
    for until in [patience / 3, patience] {
        signal(child, Signal::SIGTERM);
        while begun.elapsed() < until {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            thread::park_timeout(Duration::from_millis(30));
        }
    }
    child.kill().context("cannot kill a child")?;
    Ok(child.wait()?)
}

fn signal(child: &Child, signal: Signal) {
    // Our own child that has not been waited for: its id cannot belong to anybody else. It may have just ended, and
    // then there is nothing to tell it.
    if let Ok(id) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(id), signal);
    }
}

/// From here on an interruption no longer ends this program by itself, so that it can tidy up. See [`interrupted`].
pub fn catch_interruptions() -> Result<()> {
    for number in [SIGINT, SIGTERM, SIGHUP] {
        let seen = usize::try_from(number)?;
        signal_hook::flag::register_usize(number, Arc::clone(flag()), seen).context("cannot watch for signals")?;
    }
    Ok(())
}

/// Whether somebody wants this program to end.
pub fn interrupted() -> bool {
    interruption().is_some()
}

/// The number of the signal by which somebody wants this program to end.
fn interruption() -> Option<i32> {
    i32::try_from(flag().load(Ordering::Relaxed)).ok().filter(|number| *number != 0)
}

fn flag() -> &'static Arc<AtomicUsize> {
    static FLAG: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

/// A command as somebody could have typed it.
pub fn shown(command: &Command) -> String {
    let quoted = |word: &OsStr| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}
