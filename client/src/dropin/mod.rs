//! ffleet in the place of `ffmpeg` and `ffprobe`: called by one of these names, or as `ffleet ffmpeg …`, it is the program as
//! far as its caller can see. Its arguments, streams, signals, keys and exit code are FFmpeg's; only what keeps ffleet from
//! doing its part is said in words of our own.

mod ending;
mod fallback;
mod invocation;
mod keys;
mod session;
mod settings;
mod signals;
mod steering;
mod streams;

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;

use crate::{cli::Global, config, errors::Failure, exit, output::Output};
use ending::Ending;

pub use invocation::{Invocation, Program};
pub use settings::Dropin;

const HELP: &str = "\
Everything after the program's name is FFmpeg's own. A symbolic link called ffmpeg or ffprobe that leads to ffleet does \
the same: ln -s $(command -v ffleet) /opt/fleet/bin/ffmpeg

Streams, exit code, SIGINT, SIGTERM, SIGHUP and `q` are FFmpeg's; the job is canceled when this program dies. Nothing of \
ffleet's own is said unless dropin.verbose is set (FFLEET_DROPIN__VERBOSE=true), or ffleet cannot do its part. With \
dropin.fallback.ffmpeg = \"/usr/bin/ffmpeg\" that program takes over when no coordinator answers.

Exit codes: FFmpeg's own; 255 when it was stopped or the job canceled; 128+n when it was killed by signal n; 125 when \
ffleet failed.

Examples:
  ffleet ffmpeg -i /mnt/media/in.mkv -c:v libx264 /mnt/media/out.mp4
  ffleet ffprobe -v error -of json -show_streams /mnt/media/in.mkv
  ffleet --config /etc/ffleet/server.toml ffmpeg -encoders";

/// For the help alone: such a call never comes as far as clap.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, after_long_help = HELP)]
pub struct Args {
    /// The program's own arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    _args: Vec<OsString>,
}

/// What came of a call.
enum Done {
    Ended(Ending),
    /// No coordinator answers; the program at this path takes over.
    Fallback(PathBuf),
}

/// Runs the program and says with which code to end.
pub fn main(invocation: &Invocation, global: &Global) -> ExitCode {
    let out = Output::new(false);
    let done = match run(invocation, global, &out) {
        Ok(Done::Fallback(path)) => {
            out.note(&format!("no coordinator answers; running {} on this machine", path.display()));
            Err(fallback::become_local(&path, &invocation.args).into())
        }
        Ok(Done::Ended(ending)) => Ok(ending),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(ending) => {
            if let Some(words) = ending.words {
                out.note(&words);
            }
            ExitCode::from(ending.code)
        }
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(exit::OURS)
        }
    }
}

fn run(invocation: &Invocation, global: &Global, out: &Output) -> Result<Done, Failure> {
    if global.json {
        return Err(anyhow::anyhow!(
            "--json does not go with `ffleet {0}`; use `ffleet submit --json --binary {0} -- …`",
            invocation.program
        )
        .into());
    }
    let loaded = config::load(global)?;
    let config = &loaded.value;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let called = async {
        let Invocation { program, args, .. } = invocation;
        let local = config.dropin.fallback(*program)?;
        let verbose = config.dropin.verbose.then(|| out.clone());
        let api = config.api()?.on_silence(move |left| {
            if let Some(out) = &verbose {
                out.note(&format!("no coordinator answers yet; asking again for up to {} s", left.as_secs()));
            }
        });
        if let Some(path) = local
            && !fallback::answers(&api, Duration::from_secs(config.dropin.fallback_after_s)).await
        {
            return Ok(Done::Fallback(path.to_owned()));
        }
        Box::pin(session::run(config, api, out, *program, args)).await.map(Done::Ended)
    };
    let done = runtime.block_on(called);
    // A thread that still reads or writes must not hold up the end.
    runtime.shutdown_background();
    done.map_err(|error: anyhow::Error| Failure { error, key_file: config.key_file.clone(), file: loaded.path.clone() })
}

/// ffleet's own flags before the program's name.
pub fn global(before: &[OsString]) -> Result<Global, clap::Error> {
    use clap::{Args as _, FromArgMatches as _};
    let command = Global::augment_args(clap::Command::new("ffleet"));
    Global::from_arg_matches(&command.try_get_matches_from(before)?)
}
