//! A diary of when this program ran, for whoever asks later whether two encoders of one task ran at once.
//!
//! Each line is `WORD TASK.EPOCH PID MICROSECONDS`, by the machine's clock: `start`, `alive` several times a second, and
//! `stop` unless it was killed. An attempt without a working directory of its own works in one that has its name.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How often it says that it lives.
const ALIVE: Duration = Duration::from_millis(100);

static DIARY: OnceLock<PathBuf> = OnceLock::new();

/// The name of the attempt, `TASK.EPOCH`.
pub(crate) fn attempt() -> io::Result<String> {
    let folder = env::current_dir()?;
    Ok(folder.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Begins the diary.
pub(crate) fn start(file: &Path) -> io::Result<()> {
    line(file, "start")?;
    let own = DIARY.get_or_init(|| file.to_owned()).clone();
    thread::spawn(move || {
        loop {
            thread::park_timeout(ALIVE);
            if line(&own, "alive").is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Ends it, if it was begun.
pub(crate) fn stop() {
    if let Some(file) = DIARY.get() {
        // Whoever reads takes the last line instead.
        let _ = line(file, "stop");
    }
}

fn line(file: &Path, word: &str) -> io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this program is no part of the product, and its diary is about time"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let text = format!("{word} {} {} {now}\n", attempt()?, std::process::id());
    // In one write, so that lines of several processes do not mix.
    OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
}
