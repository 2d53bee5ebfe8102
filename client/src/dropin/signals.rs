//! Signals to this process, as the running program is to be told them.

use std::io;

use ffleet_protocol::state::SignalKind;
use tokio::signal::unix::{self, Signal};

/// Those that end FFmpeg, from now on ours.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> io::Result<Self> {
        // `nohup` has it ignored, and so it stays; the other two FFmpeg takes in any case.
        let hangup =
            (!ignored(unix::SignalKind::hangup().as_raw_value())).then(|| unix::signal(unix::SignalKind::hangup()));
        Ok(Self {
            interrupt: unix::signal(unix::SignalKind::interrupt())?,
            terminate: unix::signal(unix::SignalKind::terminate())?,
            hangup: hangup.transpose()?,
        })
    }

    /// The next one. Waiting for it may be given up and taken up again.
    pub async fn next(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::Interrupt,
            _ = self.terminate.recv() => SignalKind::Terminate,
            _ = hangup => SignalKind::Terminate,
        }
    }
}

/// Whether this process was started with a signal ignored.
fn ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| in_mask(mask.trim(), number))
}

fn in_mask(mask: &str, number: i32) -> bool {
    u64::from_str_radix(mask, 16).is_ok_and(|mask| mask >> (number - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn masks_of_the_kernel_are_read() {
        assert!(super::in_mask("0000000000001001", 1) && super::in_mask("0000000000001001", 13));
        assert!(!super::in_mask("0000000000001001", 2) && !super::in_mask("", 1));
    }
}
