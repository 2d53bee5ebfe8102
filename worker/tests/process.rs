//! Children are owned completely: real programs, real signals.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use common::{PATIENCE, fifo, first_line, line_of, program, read, script, starter, until_closed};
use ffleet_protocol::{log::LineEnd, state::Stream};
use ffleet_worker::process::{self, Ended, Manner, StartProblem};
use nix::sys::signal::Signal;

#[tokio::test]
async fn the_end_is_told_as_it_was() {
    let starter = starter();
    for (text, end) in [
        ("exit 0", Ended::Code(0)),
        ("exit 42", Ended::Code(42)),
        ("exit 255", Ended::Code(255)),
        ("kill -SEGV $$", Ended::Signal(11)),
        ("kill -KILL $$", Ended::Signal(9)),
    ] {
        let running = starter.start(script(text, &[])).await.unwrap();
        assert_eq!(running.control.ended().await, end, "{text}");
        running.control.kill();
        running.control.quit();
    }
}

#[tokio::test]
async fn what_cannot_start_is_said() {
    let starter = starter();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let missing = starter.start(program("/nowhere/ffmpeg", &[])).await.unwrap_err();
    assert!(matches!(missing, StartProblem::NotFound { .. }) && missing.to_string().contains("/nowhere/ffmpeg"));
    let refused = starter.start(program(plain.to_str().unwrap(), &[])).await.unwrap_err();
    assert!(matches!(refused, StartProblem::NotExecutable { .. }), "{refused}");
}

#[tokio::test]
async fn a_child_sees_little_of_the_worker() {
    let starter = starter();
    let running = starter.start(program("/usr/bin/env", &[])).await.unwrap();
    let text = String::from_utf8(read(File::from(running.stdout)).await).unwrap();
    let known = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "FFLEET_ATTEMPT"];
    for line in text.lines() {
        let name = line.split('=').next().unwrap();
        assert!(known.contains(&name), "{line}");
    }
    assert!(text.contains("FFLEET_ATTEMPT=test/"));

    let running = starter.start(script("ls /proc/self/fd", &[])).await.unwrap();
    let text = String::from_utf8(read(File::from(running.stdout)).await).unwrap();
    // `ls` has the folder itself open as 3.
    assert_eq!(text.lines().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn the_rest_of_the_group_dies_with_its_leader() {
    let starter = starter();
    let folder = tempfile::tempdir().unwrap();
    let (alive, ready) = (fifo(&folder, "alive"), fifo(&folder, "ready"));
    let watching = tokio::spawn(until_closed(alive.clone()));
    // The leader ends only after the other one is up.
    let text = "(exec >\"$1\"; echo up; echo go >\"$2\"; exec sleep 1000) & read line <\"$2\"; exit 3";
    let running = starter.start(script(text, &[&alive, &ready])).await.unwrap();
    assert_eq!(running.control.ended().await, Ended::Code(3));
    assert_eq!(watching.await.unwrap(), "up\n");
}

#[tokio::test]
async fn what_has_left_the_group_dies_as_well() {
    let starter = starter();
    let folder = tempfile::tempdir().unwrap();
    let (alive, ready) = (fifo(&folder, "alive"), fifo(&folder, "ready"));
    let watching = tokio::spawn(until_closed(alive.clone()));
    // The leader ends only after the other one lives in a session of its own.
    let text =
        "setsid sh -c 'exec >\"$1\"; echo up; echo go >\"$2\"; exec sleep 1000' sh \"$1\" \"$2\" & read line <\"$2\"";
    let running = starter.start(script(text, &[&alive, &ready])).await.unwrap();
    assert_eq!(running.control.ended().await, Ended::Code(0));
    assert_eq!(watching.await.unwrap(), "up\n");
}

#[tokio::test]
async fn a_stop_goes_from_polite_to_final() {
    let starter = starter();
    // Notices the q, notices SIGTERM, and goes on.
    let text = "trap 'echo term' TERM; echo up; head -c 1; echo; while :; do sleep 1000; done";
    let running = starter.start(script(text, &[])).await.unwrap();
    let (_, rest) = line_of(running.stdout).await;
    let patience = Duration::from_millis(500);
    process::stop(&running.control, Manner { quit: Some(patience), terminate: patience }).await;
    assert_eq!(running.control.ended().await, Ended::Signal(9));
    assert_eq!(String::from_utf8(read(rest).await).unwrap(), "q\nterm\n");
}

#[tokio::test]
async fn a_polite_program_is_not_killed() {
    let starter = starter();
    for (text, end) in [
        ("echo up; head -c 1 >/dev/null; exit 7", Ended::Code(7)),
        ("trap 'exit 8' TERM; echo up; while :; do sleep 1000; done", Ended::Code(8)),
        ("echo up; exec sleep 1000", Ended::Signal(15)),
    ] {
        let running = starter.start(script(text, &[])).await.unwrap();
        line_of(running.stdout).await;
        let patience = Some(Duration::from_millis(500));
        process::stop(&running.control, Manner { quit: patience, terminate: PATIENCE }).await;
        assert_eq!(running.control.ended().await, end, "{text}");
    }
}

#[tokio::test]
async fn standard_input_stays_open() {
    let starter = starter();
    let running = starter.start(script("cat; exit 9", &[])).await.unwrap();
    let control = running.control.clone();
    let early = tokio::time::timeout(Duration::from_millis(300), control.ended()).await;
    assert!(early.is_err(), "it saw the end of its input");
    control.signal(Signal::SIGINT);
    assert_ne!(control.ended().await, Ended::Code(9));
}

#[tokio::test]
async fn standard_output_is_byte_exact() {
    let starter = starter();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let text = "head -c 3000000 /dev/urandom | tee \"$1\"; printf 'tail without end\\r\\n\\0'";
    let running = starter.start(script(text, &[&copy])).await.unwrap();
    let (control, mut drains, spool) = common::drained(running, &folder);
    assert_eq!(control.ended().await, Ended::Code(0));
    assert!(drains.finish().await);
    spool.close();
    let mut expected = fs::read(copy).unwrap();
    expected.extend_from_slice(b"tail without end\r\n\0");
    assert!(common::bytes(&common::records(&spool), Stream::Stdout) == expected);
}

#[tokio::test]
async fn status_lines_without_a_newline_stall_nobody() {
    let starter = starter();
    let folder = tempfile::tempdir().unwrap();
    let text = "i=0; while [ $i -lt 20000 ]; do printf 'frame=%6d fps=25 q=28.0\\r' $i; i=$((i+1)); done >&2; \
                printf 'Overwrite? ' >&2; exit 5";
    let running = starter.start(script(text, &[])).await.unwrap();
    let (control, mut drains, spool) = common::drained(running, &folder);
    let end = tokio::time::timeout(PATIENCE, control.ended()).await.expect("stalled");
    assert_eq!(end, Ended::Code(5));
    assert!(drains.finish().await);
    spool.close();
    let records = common::records(&spool);
    assert_eq!(records.len(), 20_001);
    assert!(records[..20_000].iter().all(|record| record.end == Some(LineEnd::Cr)));
    assert_eq!(records[20_000].end, None);
    assert_eq!(drains.tail(), "Overwrite? \n");
}

#[tokio::test]
async fn output_that_somebody_else_holds_open_is_not_waited_for() {
    let starter = starter();
    // A process of ours that is not of the program's tree holds the writing end.
    let folder = tempfile::tempdir().unwrap();
    let mut running = starter.start(script("echo words >&2", &[])).await.unwrap();
    let (reader, writer) = process::extra_pipe().unwrap();
    running.stdout = reader;
    let (control, mut drains, spool) = common::drained(running, &folder);
    assert_eq!(control.ended().await, Ended::Code(0));
    assert!(!drains.finish().await);
    drop(writer);
    spool.close();
    assert_eq!(common::bytes(&common::records(&spool), Stream::Stderr), b"words");
}

#[tokio::test]
async fn a_short_program_is_killed_when_its_time_is_over() {
    let starter = starter();
    let printed = process::printed(&starter, script("echo out; echo err >&2", &[]), PATIENCE).await.unwrap();
    assert_eq!((printed.stdout, printed.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
    assert_eq!(printed.ended, Some(Ended::Code(0)));
    let limit = Duration::from_millis(200);
    let slow = process::printed(&starter, script("echo out; sleep 1000", &[]), limit).await.unwrap();
    assert_eq!((slow.ended, slow.stdout), (None, b"out\n".to_vec()));
}

#[tokio::test]
async fn children_end_with_the_starter() {
    let folder = tempfile::tempdir().unwrap();
    let alive = fifo(&folder, "alive");
    let starter = starter();
    let running = starter.start(script("exec >\"$1\"; echo up; exec sleep 1000", &[&alive])).await.unwrap();
    let (line, rest) = first_line(alive).await;
    assert_eq!(line, "up");
    drop(starter);
    assert_eq!(running.control.ended().await, Ended::Signal(9));
    assert_eq!(read(rest).await, b"");
}

/// Not a test by itself: the next one runs this program again, as a worker that is going to be killed.
#[tokio::test]
async fn helper_with_a_child() {
    let Some(alive) = std::env::var_os("FFLEET_TEST_ALIVE").map(PathBuf::from) else { return };
    let starter = starter();
    let running = starter.start(script("exec >\"$1\"; echo $$; exec sleep 1000", &[&alive])).await.unwrap();
    running.control.ended().await;
}

#[tokio::test]
async fn a_child_dies_with_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let alive = fifo(&folder, "alive");
    let mut helper = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["helper_with_a_child", "--exact"])
        .env("FFLEET_TEST_ALIVE", &alive)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (pid, rest) = first_line(alive).await;
    assert!(process::exists(nix::unistd::Pid::from_raw(pid.parse().unwrap())));
    helper.kill().unwrap();
    // The child's end of the named pipe closes when it dies.
    assert_eq!(read(rest).await, b"");
    helper.wait().unwrap();
}

#[tokio::test]
async fn a_hard_stop_is_quick() {
    let starter = starter();
    let text = "trap '' TERM; echo up; while :; do sleep 1000; done";
    let running = starter.start(script(text, &[])).await.unwrap();
    line_of(running.stdout).await;
    process::stop(&running.control, Manner { quit: None, terminate: Duration::from_millis(200) }).await;
    assert_eq!(running.control.ended().await, Ended::Signal(9));
    assert!(!Path::new(&format!("/proc/{}", running.control.pid())).exists(), "it was reaped");
}
