//! Real FFmpeg: what the worker adds to its command does what it is meant to do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{
    ffi::OsString,
    fs,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::mpsc,
};

use common::{PATIENCE, program, starter};
use ffleet_protocol::{log::Progress, state::FailureClass};
use ffleet_worker::{
    attempt::output::{Drains, Pipes},
    ffmpeg::{args, failures},
    process::{self, Control, Ended, Program, Starter},
    shipping::{Budget, Spool, SpoolFile},
};

fn ffmpeg() -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&folders)
        .map(|folder| folder.join("ffmpeg"))
        .find(|file| file.is_file())
        .expect("these tests need ffmpeg; `cargo xtask test` installs it")
}

fn command(text: &str, folder: &Path, inherited: Option<std::os::fd::OwnedFd>, rerun: bool) -> Program {
    let plain = text.split(' ').map(OsString::from).collect();
    let number = inherited.as_ref().map(AsRawFd::as_raw_fd);
    let mut all = program(ffmpeg().to_str().unwrap(), &[]);
    all.args = args::complete(plain, number, rerun);
    all.dir = folder.to_owned();
    all.inherited = inherited;
    all
}

/// Runs a command to its end, and what it said on stderr.
async fn run(starter: &Starter, text: &str, folder: &Path, rerun: bool) -> (Ended, String) {
    let printed = process::printed(starter, command(text, folder, None, rerun), PATIENCE).await.unwrap();
    (printed.ended.expect("it hangs"), String::from_utf8_lossy(&printed.stderr).into_owned())
}

#[tokio::test]
async fn progress_comes_on_its_own_pipe_and_q_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let (read, write) = process::extra_pipe().unwrap();
    let text = "-v error -re -f lavfi -i testsrc2=s=64x48:r=25 -c:v libx264 -preset ultrafast out.mkv";
    let starter = starter();
    let running = starter.start(command(text, folder.path(), Some(write), false)).await.unwrap();
    let control: Control = running.control.clone();
    let place =
        SpoolFile { path: folder.path().join("spool"), memory: 1 << 20, budget: std::sync::Arc::new(Budget::new(0)) };
    let spool = std::sync::Arc::new(Spool::new(place, 1));
    let (told, reports) = mpsc::channel::<Progress>();
    let pipes = Pipes { stdout: running.stdout, stderr: running.stderr, progress: Some(read), stdout_max: 0 };
    let mut drains = Drains::start(pipes, &spool, move |report| {
        let _ = told.send(report);
    })
    .unwrap();
    let reports = common::blocking(move || {
        let mut all: Vec<Progress> = Vec::new();
        while all.last().and_then(|report| report.frame).unwrap_or(0) == 0 {
            all.push(reports.recv_timeout(PATIENCE).expect("no progress"));
        }
        all
    })
    .await;
    assert!(reports.last().unwrap().frame.unwrap() > 0);
    control.quit();
    assert_eq!(tokio::time::timeout(PATIENCE, control.ended()).await.expect("q is not heard"), Ended::Code(0));
    assert!(drains.finish().await);

    let prober = ffmpeg().with_file_name("ffprobe");
    let mut probe = program(prober.to_str().unwrap(), &[]);
    probe.args = args::probe_duration(&folder.path().join("out.mkv"));
    let printed = process::printed(&starter, probe, PATIENCE).await.unwrap();
    assert!(args::probed_duration(&printed.stdout).unwrap() > 0, "{:?}", String::from_utf8_lossy(&printed.stderr));
}

#[tokio::test]
async fn it_ends_with_255_when_it_is_told_to_go() {
    let folder = tempfile::tempdir().unwrap();
    let text = "-v error -nostdin -re -f lavfi -i testsrc2=s=64x48:r=25 -f null -";
    assert!(args::said(&text.split(' ').map(OsString::from).collect::<Vec<_>>()).deaf);
    let (read, write) = process::extra_pipe().unwrap();
    let starter = starter();
    let running = starter.start(command(text, folder.path(), Some(write), false)).await.unwrap();
    // Its first report shows that it has installed its signal handlers.
    let mut first = tokio::net::unix::pipe::Receiver::from_owned_fd(read).unwrap();
    let mut byte = [0];
    tokio::io::AsyncReadExt::read_exact(&mut first, &mut byte).await.unwrap();
    process::stop(&running.control, process::Manner { quit: None, terminate: PATIENCE }).await;
    assert_eq!(running.control.ended().await, Ended::Code(255));
}

#[tokio::test]
async fn nobody_is_asked_whether_to_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    let text = "-v error -f lavfi -i testsrc2=s=64x48:r=25:d=0.2 out.mkv";
    let starter = starter();
    assert_eq!(run(&starter, text, folder.path(), false).await.0, Ended::Code(0));
    let before = fs::metadata(folder.path().join("out.mkv")).unwrap().modified().unwrap();
    let (ended, words) = run(&starter, text, folder.path(), false).await;
    assert_eq!(ended, Ended::Code(1));
    assert_eq!(failures::name(&words, &[]).unwrap().class, FailureClass::OutputExists);
    assert_eq!(fs::metadata(folder.path().join("out.mkv")).unwrap().modified().unwrap(), before);
    assert_eq!(run(&starter, text, folder.path(), true).await.0, Ended::Code(0), "what is left of our own attempt");
}

#[tokio::test]
async fn failures_have_their_names() {
    use FailureClass as F;
    let folder = tempfile::tempdir().unwrap();
    let starter = starter();
    fs::write(folder.path().join("garbage.mkv"), "garbage").unwrap();
    let source = "-f lavfi -i testsrc2=s=64x48:r=25:d=0.2";
    for (text, class) in [
        (format!("{source} -c:v nosuch out.mkv"), Some(F::NoSuchEncoder)),
        (format!("{source} -vf nosuch out.mkv"), Some(F::NoSuchFilter)),
        (format!("{source} -nosuch 1 out.mkv"), Some(F::BadOption)),
        (format!("{source} -t abc out.mkv"), Some(F::BadOption)),
        (format!("{source} out.nosuch"), Some(F::BadOption)),
        (format!("{source} -map 0:9 out.mkv"), Some(F::BadOption)),
        (format!("{source} -c:v libx264 -crf abc out.mkv"), Some(F::BadOption)),
        ("-i missing.mkv out.mkv".to_owned(), Some(F::InputNotFound)),
        ("-i garbage.mkv out.mkv".to_owned(), Some(F::InputCorrupt)),
        ("-i http://127.0.0.1:1/x out.mkv".to_owned(), Some(F::Network)),
        // The folder of an output is no input that is missing.
        (format!("{source} nowhere/out.mkv"), None),
    ] {
        let plain: Vec<OsString> = text.split(' ').map(OsString::from).collect();
        let (ended, words) = run(&starter, &text, folder.path(), true).await;
        assert_eq!(ended, Ended::Code(1), "{text}: {words}");
        let named = failures::name(&words, &args::inputs(&plain));
        assert_eq!(named.map(|named| named.class), class, "{text}: {words}");
    }
}
