//! A program of the fleet on a terminal, whose screen a test reads and on whose keys it types.

use std::{
    fs::File,
    io::Write,
    num::NonZeroU16,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

use nix::sys::signal::Signal;
use rustix::{
    process::{ioctl_tiocsctty, setsid},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    stdio::stdin,
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

use crate::{PATIENCE, Process};

/// A program on a terminal of its own.
pub struct Terminal {
    process: Process,
    /// Our end: what is written here is typed.
    keyboard: File,
    /// The program's end. As long as it is open the terminal's settings can be read.
    line: OwnedFd,
    screen: Mutex<Screen>,
}

/// What the terminal shows.
struct Screen {
    parser: vt100::Parser,
    /// So many bytes were shown.
    shown: usize,
}

impl Screen {
    fn show(&mut self, said: &[u8]) {
        self.parser.process(&said[self.shown..]);
        self.shown = said.len();
    }
}

impl Terminal {
    pub(crate) fn start(name: &str, mut command: Command, log: &Path, rows: u16, columns: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).expect("a terminal");
        grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).expect("its other end");
        let line = ioctl_tiocgptpeer(&keyboard, flags).expect("its other end");
        set_size(&keyboard, rows, columns);
        let keyboard = File::from(keyboard);
        for set in [Command::stdin, Command::stdout, Command::stderr] {
            set(&mut command, Stdio::from(line.try_clone().expect("a descriptor")));
        }
        take_terminal(&mut command);
        command.env("TERM", "xterm-256color");
        let said = keyboard.try_clone().expect("a descriptor");
        let process = Process::on_terminal(name, &mut command, said, log);
        let parser = vt100::Parser::new(cells(rows), cells(columns), 0);
        Self { process, keyboard, line, screen: Mutex::new(Screen { parser, shown: 0 }) }
    }

    /// The program.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Types on the keyboard.
    pub fn types(&self, keys: &str) {
        (&self.keyboard).write_all(keys.as_bytes()).unwrap();
    }

    /// Makes the window smaller or larger.
    pub fn resize(&self, rows: u16, columns: u16) {
        let mut screen = self.screen.lock().unwrap();
        screen.show(&self.process.stdout());
        screen.parser.screen_mut().set_size(cells(rows), cells(columns));
        set_size(&self.keyboard, rows, columns);
    }

    /// What can be read on the screen now.
    #[must_use]
    pub fn text(&self) -> String {
        let mut screen = self.screen.lock().unwrap();
        screen.show(&self.process.stdout());
        screen.parser.screen().contents()
    }

    /// Waits until the screen shows all of these.
    pub async fn shows<const N: usize>(&self, texts: [&str; N]) {
        self.until(&format!("{texts:?}"), |text| texts.iter().all(|wanted| text.contains(wanted))).await;
    }

    /// Waits until the screen does not show this any more.
    pub async fn hides(&self, text: &str) {
        self.until(&format!("no {text:?}"), |shown| !shown.contains(text)).await;
    }

    async fn until(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        let found = self.process.stdout_until(|said| {
            let mut screen = self.screen.lock().unwrap();
            screen.show(said);
            is_it(&screen.parser.screen().contents())
        });
        let Ok(found) = tokio::time::timeout(PATIENCE, found).await else {
            panic!("{} did not show {what} within {PATIENCE:?} but:\n{}", self.process.name(), self.text())
        };
        assert!(found, "{} ended without showing {what} but:\n{}", self.process.name(), self.text());
    }

    /// Whether the program has the terminal for itself: another screen than the shell's, and every key as it is pressed.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        let (modes, screen) = (self.modes(), self.screen.lock().unwrap());
        let raw = !modes.intersects(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        raw && screen.parser.screen().alternate_screen()
    }

    /// Waits for the end of the program, with this code, and checks that a shell would find its terminal as it was: its own
    /// screen, the cursor, lines that are echoed, and keys that interrupt.
    pub async fn ends(&self, code: i32) {
        self.process.ended().await;
        let given_back = self.process.stdout_until(|said| {
            let mut parser = vt100::Parser::new(cells(24), cells(80), 0);
            parser.process(said);
            !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
        });
        let given_back = tokio::time::timeout(PATIENCE, given_back).await.unwrap_or(false);
        assert!(given_back, "{} left its screen behind:\n{}", self.process.name(), self.text());
        let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        assert!(self.modes().contains(modes), "{} left the terminal at {:?}", self.process.name(), self.modes());
        assert_eq!(self.process.code().await, code, "of {}", self.process.name());
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.line).expect("a terminal").local_modes
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a screen has cells")
}

fn set_size(terminal: impl AsFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a terminal");
}

/// The program leads a session of its own, whose terminal is the one on its standard input: news of the window's size and
/// of the terminal's end come to it.
fn take_terminal(command: &mut Command) {
    let take = || {
        setsid()?;
        ioctl_tiocsctty(stdin())?;
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "pre_exec; setsid(2) and ioctl(2) are async-signal-safe and touch no memory of ours"
    )]
    // SAFETY: between fork and exec only two system calls are made, which allocate nothing and take no lock.
    unsafe {
        command.pre_exec(take);
    }
}
