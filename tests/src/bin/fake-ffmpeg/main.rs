//! A program in the place of FFmpeg that does exactly what its arguments say, so that a test decides what happens and
//! when. It begins no encode and reads no media; it prints, waits, ends, misbehaves.
//!
//! Arguments are steps, done in the order they are given. What is no step is ignored, as are FFmpeg's own options. Files
//! may be written `file:/path`; what waits for a file waits until it exists.
//!
//! | step | does |
//! |---|---|
//! | `-fake-say TEXT` | a line on stderr |
//! | `-fake-out TEXT` | a line on stdout |
//! | `-fake-lines N` | `line 1` … `line N` on stderr |
//! | `-fake-status N` | `frame= 1` … on stderr, each ended by a carriage return, as FFmpeg's status line |
//! | `-fake-out-lines N` | `out 1` … `out N` on stdout |
//! | `-fake-bytes SEED:N` | N bytes on stdout that only depend on SEED (see [`noise::noise`]) |
//! | `-fake-flood N` | N bytes of stderr in lines of 80 |
//! | `-fake-flood-cr N` | the same with carriage returns |
//! | `-fake-flood-wide N` | N bytes of stderr in lines of 1,000 that end with carriage returns |
//! | `-fake-flood-long N` | N bytes of stderr in lines of 50,000 |
//! | `-fake-err-bytes SEED:N` | as `-fake-bytes`, on stderr |
//! | `-fake-slow N:MS` | `line 1` … `line N` on stderr, each after MS milliseconds, like an encoder at work |
//! | `-fake-progress N` | N blocks to the target of `-progress`, one for each 40 ms of media; nothing without a target |
//! | `-fake-touch FILE` | makes an empty file: "I am here" |
//! | `-fake-append FILE TEXT` | adds a line to a file |
//! | `-fake-write FILE TEXT` | makes a file of one line, like an encoder that opens its output anew |
//! | `-fake-sign FILE` | makes a file of one line that names its attempt, `TASK.EPOCH` |
//! | `-fake-record FILE` | adds lines to a file as long as it lives (see [`record`]) |
//! | `-fake-work MS` | a line on stderr every 50 ms for so long |
//! | `-fake-gate FILE` | waits for the file |
//! | `-fake-hang` | waits for ever |
//! | `-fake-child FILE` | starts a child that hangs and minds nothing, and writes its process id to the file |
//! | `-fake-kill-worker N` | sends signal N to whoever started it |
//! | `-fake-exit CODE` | ends with this code |
//! | `-fake-exit-unless FILE CODE` | the same while there is no such file |
//! | `-fake-signal N` | ends by this signal |
//!
//! While it waits it minds `q` on stdin (ends with 0, as FFmpeg does), SIGINT and SIGTERM (ends with 255, as FFmpeg does).
//! Given anywhere, `-fake-ignore-q`, `-fake-ignore-int` and `-fake-ignore-term` make it deaf to each.
//!
//! After the last step it ends with 0. `-version` alone makes it say who it is.

mod noise;
mod record;
mod steps;
mod stops;

use std::{env, process::ExitCode};

use stops::Stops;

/// Why a run is over before its last step.
pub(crate) enum Over {
    /// With this code.
    Exit(u8),
    /// Something did not work.
    Broken(String),
}

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    if args.iter().any(|arg| arg == "-version") {
        println!("ffmpeg version fake-1.0 obeys its arguments");
        return ExitCode::SUCCESS;
    }
    let ended = Stops::new(&args).and_then(|stops| steps::run(&args, &stops));
    record::stop();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Over::Exit(code)) => ExitCode::from(code),
        Err(Over::Broken(why)) => {
            eprintln!("fake-ffmpeg: {why}");
            ExitCode::from(99)
        }
    }
}
