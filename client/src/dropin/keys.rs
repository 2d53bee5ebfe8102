//! Standard input, as far as FFmpeg listens to it: a `q` typed there means "finish the file and end well".

use std::{
    ffi::OsString,
    io::{IsTerminal, Read, stdin},
    thread,
};

use nix::{
    sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr},
    unistd::{getpgrp, tcgetpgrp},
};
use tokio::sync::mpsc;

use super::Program;

/// Every `q` that comes.
pub struct Keys {
    quits: mpsc::UnboundedReceiver<()>,
    _terminal: Option<KeyByKey>,
}

impl Keys {
    /// Begins to read, unless the program would not read either. Other keys are read and mean nothing; the end of the input
    /// means nothing as well.
    #[must_use]
    pub fn listen(program: Program, args: &[OsString]) -> Self {
        let (told, quits) = mpsc::unbounded_channel();
        let listens = program == Program::Ffmpeg && !args.iter().any(|arg| arg == "-nostdin");
        if !listens || in_the_background() {
            return Self { quits, _terminal: None };
        }
        let terminal = KeyByKey::begin();
        // On a thread that nobody waits for: it may read for ever. Without it there is no `q`, and everything else works.
        let _ = thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            let mut bytes = [0; 64];
            while let Ok(count @ 1..) = stdin().read(&mut bytes) {
                for _ in bytes[..count].iter().filter(|byte| **byte == b'q') {
                    let _ = told.send(());
                }
            }
        });
        Self { quits, _terminal: terminal }
    }

    /// The next `q`; waits for ever when none will come.
    pub async fn quit(&mut self) {
        if self.quits.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// A background process that reads from its terminal, or changes how it reads, is stopped by the kernel.
fn in_the_background() -> bool {
    stdin().is_terminal() && tcgetpgrp(stdin()).is_ok_and(|foreground| foreground != getpgrp())
}

/// A terminal that gives every key at once and does not show it, until this is dropped.
struct KeyByKey(Termios);

impl KeyByKey {
    fn begin() -> Option<Self> {
        if !stdin().is_terminal() {
            return None;
        }
        let before = tcgetattr(stdin()).ok()?;
        let mut now = before.clone();
        now.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        now.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        now.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(stdin(), SetArg::TCSANOW, &now).ok()?;
        Some(Self(before))
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing back.
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.0);
    }
}
