//! Being told to stop: `q` on stdin and signals.

use std::{
    ffi::OsString,
    io::{Read, stdin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::Over;

/// How often a waiting program looks around. It is the fake that waits, not a test.
const LOOK: Duration = Duration::from_millis(5);

/// What has been asked of us so far.
pub(crate) struct Stops {
    quit: Arc<AtomicBool>,
    signaled: Arc<AtomicBool>,
}

impl Stops {
    /// Listens to everything that the arguments do not tell it to ignore.
    pub(crate) fn new(args: &[OsString]) -> Result<Self, Over> {
        let ignores = |what: &str| args.iter().any(|arg| arg == what);
        let stops = Self { quit: Arc::default(), signaled: Arc::default() };
        for (number, ignored) in [(SIGINT, "-fake-ignore-int"), (SIGTERM, "-fake-ignore-term")] {
            let seen = if ignores(ignored) { Arc::default() } else { Arc::clone(&stops.signaled) };
            signal_hook::flag::register(number, seen).map_err(|error| Over::Broken(format!("signals: {error}")))?;
        }
        if !ignores("-fake-ignore-q") {
            let quit = Arc::clone(&stops.quit);
            thread::spawn(move || {
                let mut byte = [0];
                while matches!(stdin().read(&mut byte), Ok(1)) {
                    if byte == *b"q" {
                        quit.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
        Ok(stops)
    }

    /// Ends the run if somebody wants that.
    pub(crate) fn check(&self) -> Result<(), Over> {
        if self.quit.load(Ordering::Relaxed) {
            eprintln!("fake-ffmpeg: quit by q");
            return Err(Over::Exit(0));
        }
        if self.signaled.load(Ordering::Relaxed) {
            eprintln!("fake-ffmpeg: exiting normally, received signal");
            return Err(Over::Exit(255));
        }
        Ok(())
    }

    /// Waits until something is the case, or until somebody wants us to end.
    pub(crate) fn wait_until(&self, it_is: impl Fn() -> bool) -> Result<(), Over> {
        while !it_is() {
            self.check()?;
            thread::park_timeout(LOOK);
        }
        Ok(())
    }
}
