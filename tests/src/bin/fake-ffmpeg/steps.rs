//! The steps, in the order of the arguments.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Write, stderr, stdout},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, raise},
    unistd::Pid,
};
use signal_hook::{consts::SIGKILL, low_level::emulate_default_handler};

use crate::{Over, noise::noise, record, stops::Stops};

/// Does every step.
pub(crate) fn run(args: &[OsString], stops: &Stops) -> Result<(), Over> {
    let progress = args.iter().skip_while(|arg| *arg != "-progress").nth(1);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let Some(step) = word.to_str().and_then(|word| word.strip_prefix("-fake-")) else { continue };
        if step.starts_with("ignore-") {
            continue;
        }
        if step == "hang" {
            stops.wait_until(|| false)?;
            continue;
        }
        let Some(value) = words.next() else { return Err(Over::Broken(format!("-fake-{step} needs a value"))) };
        match step {
            "append" | "write" => to_file(step, value, words.next())?,
            "exit-unless" => {
                let code = words.next().map(|code| code.to_string_lossy()).unwrap_or_default();
                if !path(value).exists() {
                    one("exit", OsStr::new(&*code), progress, stops)?;
                }
            }
            _ => one(step, value, progress, stops)?,
        }
        stops.check()?;
    }
    Ok(())
}

fn one(step: &str, value: &OsStr, progress: Option<&OsString>, stops: &Stops) -> Result<(), Over> {
    let text = value.to_string_lossy();
    match step {
        "say" => done(writeln!(stderr(), "{text}")),
        "out" => done(writeln!(stdout(), "{text}")),
        "lines" => numbered(&mut stderr().lock(), "line ", number(&text)?, "\n", stops),
        "status" => numbered(&mut stderr().lock(), "frame= ", number(&text)?, "\r", stops),
        "out-lines" => numbered(&mut stdout().lock(), "out ", number(&text)?, "\n", stops),
        "bytes" => {
            let (seed, count) = two_numbers(&text)?;
            done(stdout().write_all(&noise(seed, count)).and_then(|()| stdout().flush()))
        }
        "err-bytes" => {
            let (seed, count) = two_numbers(&text)?;
            done(stderr().write_all(&noise(seed, count)))
        }
        "slow" => slow(two_numbers(&text)?, stops),
        "flood" => flood(number(&text)?, 80, b'\n', stops),
        "flood-cr" => flood(number(&text)?, 80, b'\r', stops),
        "flood-wide" => flood(number(&text)?, 1_000, b'\r', stops),
        "flood-long" => flood(number(&text)?, 50_000, b'\n', stops),
        "progress" => match progress {
            Some(target) => tell_progress(target, number(&text)?, stops),
            None => Ok(()),
        },
        "touch" => done(File::create(path(value)).map(drop)),
        "sign" => done(record::attempt().and_then(|name| fs::write(path(value), name + "\n"))),
        "record" => done(record::start(&path(value))),
        "work" => work(Duration::from_millis(number(&text)?), stops),
        "gate" => {
            let gate = path(value);
            stops.wait_until(|| gate.exists())
        }
        "child" => start_child(&path(value)),
        "kill-worker" => {
            let signal = i32::try_from(number(&text)?).ok().and_then(|number| Signal::try_from(number).ok());
            let signal = signal.ok_or_else(|| Over::Broken(format!("{text} is no signal")))?;
            kill(Pid::parent(), signal).map_err(|error| Over::Broken(error.to_string()))
        }
        "exit" => Err(Over::Exit(u8::try_from(number(&text)?).map_err(|_| Over::Broken(text.into_owned()))?)),
        "signal" => {
            let number = i32::try_from(number(&text)?).map_err(|_| Over::Broken(text.clone().into_owned()))?;
            let broken = |why: String| Over::Broken(format!("signal {number}: {why}"));
            if number != SIGKILL {
                // Only the default action ends us; ours would be a flag.
                emulate_default_handler(number).map_err(|error| broken(error.to_string()))?;
            }
            let signal = Signal::try_from(number).map_err(|error| broken(error.to_string()))?;
            raise(signal).map_err(|error| broken(error.to_string()))
        }
        _ => Err(Over::Broken(format!("there is no step -fake-{step}"))),
    }
}

fn numbered(out: &mut dyn Write, word: &str, count: u64, end: &str, stops: &Stops) -> Result<(), Over> {
    for n in 1..=count {
        done(write!(out, "{word}{n}{end}"))?;
        if n % 1_000 == 0 {
            stops.check()?;
        }
    }
    done(out.flush())
}

/// Says every now and then that it goes on.
fn work(time: Duration, stops: &Stops) -> Result<(), Over> {
    const PIECE: Duration = Duration::from_millis(50);
    let begun = Instant::now();
    for n in 1_u32.. {
        done(writeln!(stderr(), "working {n}"))?;
        let next = (PIECE * n).min(time);
        stops.wait_until(|| begun.elapsed() >= next)?;
        if next == time {
            break;
        }
    }
    Ok(())
}

fn slow((count, pause_ms): (u64, u64), stops: &Stops) -> Result<(), Over> {
    for n in 1..=count {
        let until = Instant::now() + Duration::from_millis(pause_ms);
        stops.wait_until(|| Instant::now() >= until)?;
        done(writeln!(stderr(), "line {n}"))?;
    }
    Ok(())
}

fn flood(count: u64, length: usize, end: u8, stops: &Stops) -> Result<(), Over> {
    let mut line = vec![b'x'; length];
    line[length - 1] = end;
    let mut left = usize::try_from(count).unwrap_or(usize::MAX);
    while left > 0 {
        let part = left.min(line.len());
        done(stderr().write_all(&line[..part]))?;
        left -= part;
        stops.check()?;
    }
    Ok(())
}

/// What `-progress` of FFmpeg tells, to where it would tell it: `pipe:N` or a file.
fn tell_progress(target: &OsStr, blocks: u64, stops: &Stops) -> Result<(), Over> {
    let text = target.to_string_lossy();
    let file = match text.strip_prefix("pipe:") {
        Some(fd) => PathBuf::from(format!("/proc/self/fd/{fd}")),
        None => path(target),
    };
    let mut out = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&file)
        .map_err(|error| Over::Broken(format!("{}: {error}", file.display())))?;
    for n in 1..=blocks {
        let word = if n == blocks { "end" } else { "continue" };
        let block = format!(
            "frame={n}\nfps=25.00\nstream_0_0_q=28.0\nbitrate= 800.0kbits/s\ntotal_size={}\nout_time_us={}\n\
             out_time_ms={}\nout_time=00:00:00.000000\ndup_frames=0\ndrop_frames=0\nspeed=   1x\nprogress={word}\n",
            n * 4_000,
            n * 40_000,
            n * 40_000,
        );
        done(out.write_all(block.as_bytes()))?;
        stops.check()?;
    }
    Ok(())
}

/// A process that only SIGKILL ends: what is left behind when somebody owns only his first child.
fn start_child(file: &std::path::Path) -> Result<(), Over> {
    let me = env::current_exe().map_err(|error| Over::Broken(error.to_string()))?;
    let stubborn = ["-fake-ignore-q", "-fake-ignore-int", "-fake-ignore-term", "-fake-hang"];
    let child = Command::new(me)
        .args(stubborn)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| Over::Broken(format!("a child: {error}")))?;
    // Under another name first, so that whoever waits for the file finds the number in it.
    let draft = file.with_extension(format!("draft-{}", Pid::this()));
    done(fs::write(&draft, child.id().to_string()).and_then(|()| fs::rename(&draft, file)))
}

/// A line at the end of a file, in one write, so that lines of several processes do not mix; or as its only content.
fn to_file(step: &str, file: &OsStr, text: Option<&OsString>) -> Result<(), Over> {
    let Some(text) = text else { return Err(Over::Broken(format!("-fake-{step} needs a file and a text"))) };
    let line = [text.as_bytes(), b"\n"].concat();
    let mut open = OpenOptions::new();
    open.create(true).append(step == "append").truncate(step == "write").write(true);
    done(open.open(path(file)).and_then(|mut file| file.write_all(&line)))
}

fn path(value: &OsStr) -> PathBuf {
    let bytes = value.as_bytes();
    PathBuf::from(OsStr::from_bytes(bytes.strip_prefix(b"file:").unwrap_or(bytes)))
}

fn number(text: &str) -> Result<u64, Over> {
    text.parse().map_err(|_| Over::Broken(format!("{text:?} is no number")))
}

fn two_numbers(text: &str) -> Result<(u64, u64), Over> {
    let (first, second) = text.split_once(':').ok_or_else(|| Over::Broken(format!("{text}: not two numbers")))?;
    Ok((number(first)?, number(second)?))
}

fn done(result: io::Result<()>) -> Result<(), Over> {
    result.map_err(|error| Over::Broken(error.to_string()))
}
