//! ffleet in the place of `ffmpeg` and `ffprobe`: whoever calls it must not see a difference.

use std::{path::Path, process::Command};

use ffleet_protocol::state::{CancelReason, JobStatus};
use ffleet_tests::{Fleet, PATIENCE, Process, Ran, SHORT_LEASES, WorkerSetup, noise, program};
use nix::sys::signal::Signal;

/// Endless, and small enough for two busy cores.
const ENDLESS: [&str; 8] = ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-y"];

async fn with_real_ffmpeg() -> Fleet {
    let fleet = Fleet::start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(2).real_ffmpeg()).await;
    fleet
}

/// What the local program says to the same.
fn here(fleet: &Fleet, program: &str, args: &[&str]) -> (i32, Vec<u8>, String) {
    let mut command = Command::new(program);
    let output = command.args(args).current_dir(fleet.media()).stdin(std::process::Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

/// Frames that can be read from a file.
fn frames(file: &Path) -> u64 {
    let args = ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"];
    let output = Command::new("ffprobe").args(args).arg(file).output().unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // A playlist tells of its stream once more, as a part of its program.
    text.lines().next().unwrap().trim_end_matches(',').parse().unwrap()
}

#[tokio::test]
async fn nobody_sees_a_difference() {
    let fleet = with_real_ffmpeg().await;
    let make =
        ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1", "-c:v", "mpeg4", "a $5.mkv"];
    let ran = fleet.dropin("ffmpeg", make).run().await.expect(0);
    assert_eq!((ran.text(), ran.stderr), (String::new(), String::new()), "an encode without complaints is silent");
    for (program, args) in [
        ("ffmpeg", &["-hide_banner", "-encoders"][..]),
        ("ffmpeg", &["-version"]),
        ("ffprobe", &["-version"]),
        ("ffmpeg", &["-h"]),
        ("ffmpeg", &[]),
        ("ffmpeg", &["-v", "error", "-i", "none.mkv", "-y", "out.mkv"]),
        ("ffmpeg", &["-v", "error", "-i", "a $5.mkv", "-c", "copy", "a $5.mkv"]),
        ("ffmpeg", &["-v", "error", "-i", "a $5.mkv", "-map", "0:v", "-f", "rawvideo", "-frames:v", "5", "pipe:1"]),
        ("ffprobe", &["-v", "error", "-of", "json", "-show_streams", "-show_format", "a $5.mkv"]),
        ("ffprobe", &["-v", "error", "none.mkv"]),
        ("ffprobe", &["--help"]),
        ("ffmpeg", &["--json"]),
    ] {
        let (code, stdout, stderr) = here(&fleet, program, args);
        let ran = fleet.dropin(program, args).run().await;
        assert!(ran.stdout == stdout, "{program} {args:?}: {:?}", String::from_utf8_lossy(&ran.stdout));
        // Where the file exists, FFmpeg asks before it looks whether anybody is there to answer.
        let asked = stderr.replace("Overwrite? [y/N] Not overwriting - exiting", "Exiting.");
        assert_eq!((ran.code, ran.stderr), (code, asked), "{program} {args:?}");
    }
    // By its other name.
    let ran = fleet.ffleet(["ffprobe", "-v", "error", "-show_entries", "format=format_name", "a $5.mkv"]).run().await;
    assert!(ran.expect(0).text().contains("matroska"));
}

#[tokio::test]
async fn streams_and_codes_are_the_programs_own() {
    let fleet = Fleet::start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(3)).await;
    let steps = ["-fake-say", "a", "-fake-status", "3", "-fake-bytes", "7:3000000", "-fake-exit", "42"];
    let ran = fleet.dropin("ffmpeg", steps).run().await.expect(42);
    assert!(ran.stdout == noise(7, 3_000_000), "the bytes differ");
    assert_eq!(ran.stderr, "a\nframe= 1\rframe= 2\rframe= 3\r", "and not one line of ours");
    let ran = fleet.dropin("ffmpeg", ["-fake-signal", "9"]).run().await.expect(137);
    assert!(ran.stderr.starts_with("ffleet: "), "the program cannot have said it: {:?}", ran.stderr);

    // Several at a time, and what they print comes as they print it.
    let gate = fleet.gate("go");
    let start = |n: &'static str| {
        fleet.dropin("ffmpeg", ["-fake-out", n, "-fake-status", "1", "-fake-gate", gate.path()]).start()
    };
    let three = [start("first"), start("second"), start("third")];
    for (process, word) in three.iter().zip(["first", "second", "third"]) {
        process.shows(word).await;
        process.shows("frame= 1\r").await;
    }
    gate.open();
    for process in &three {
        let _ = Ran::of(process).await.expect(0);
    }
}

#[tokio::test]
async fn what_ffleet_does_is_said_when_asked_for() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let cli = fleet.dropin("ffmpeg", ["-fake-say", "x"]).env("FFLEET_DROPIN__VERBOSE", "true");
    let ran = cli.run().await.expect(0);
    for words in ["ffleet: job ", "ffleet: attempt 1 on box\n", "x\n", "ffleet: completed\n"] {
        assert!(ran.stderr.contains(words), "{words:?} in {}", ran.stderr);
    }
}

#[tokio::test]
async fn signals_end_it_as_they_end_ffmpeg() {
    let fleet = Fleet::start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(4)).await;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let child = fleet.gate(signal.as_str());
        let steps = ["-fake-child", child.path(), "-fake-say", "up", "-fake-hang"];
        let process = fleet.dropin("ffmpeg", steps).start();
        process.says("up").await;
        process.signal(signal);
        let ran = Ran::of(&process).await.expect(255);
        assert_eq!(ran.stderr, "up\nfake-ffmpeg: exiting normally, received signal\n", "{signal}");
    }
    fleet.gone("-fake-hang").await;

    // The first one means nothing to this one; the second one ends it.
    let steps = ["-fake-ignore-int", "-fake-say", "up", "-fake-hang"];
    let process = fleet.dropin("ffmpeg", steps).start();
    process.says("up").await;
    for signal in [Signal::SIGINT, Signal::SIGHUP] {
        process.signal(signal);
    }
    let _ = Ran::of(&process).await.expect(255);
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn a_signal_before_the_start_ends_it_too() {
    let fleet = Fleet::start().await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let process = fleet.dropin("ffmpeg", ["-fake-hang"]).env("FFLEET_DROPIN__VERBOSE", "true").start();
        process.says("ffleet: job ").await;
        process.signal(signal);
        let _ = Ran::of(&process).await.expect(255);
        assert_eq!(fleet.job(fleet.newest().await).await.summary.status, JobStatus::Canceled);
    }
}

#[tokio::test]
async fn who_sends_four_signals_waits_no_longer() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let steps = ["-fake-ignore-int", "-fake-ignore-term", "-fake-ignore-q", "-fake-say", "up", "-fake-hang"];
    let process = fleet.dropin("ffmpeg", steps).start();
    process.says("up").await;
    // One after the other, as signals that wait are counted once.
    let pressing = async {
        let mut presses = tokio::time::interval(std::time::Duration::from_millis(50));
        while process.is_alive() {
            presses.tick().await;
            process.signal(Signal::SIGINT);
        }
    };
    tokio::time::timeout(PATIENCE, pressing).await.unwrap();
    let _ = Ran::of(&process).await.expect(123);
    fleet.wait(fleet.newest().await).until(JobStatus::Canceled).await;
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn q_ends_it_well_whenever_it_is_typed() {
    let fleet = Fleet::start().await;
    let early = fleet.dropin("ffmpeg", ["-fake-progress", "2", "-fake-hang"]).keyboard().start();
    early.types(b"xq");
    fleet.worker("box").await;
    let ran = Ran::of(&early).await.expect(0);
    assert_eq!(ran.stderr, "fake-ffmpeg: quit by q\n");

    let process = fleet.dropin("ffmpeg", ["-fake-progress", "2", "-fake-say", "up", "-fake-hang"]).keyboard().start();
    process.says("up").await;
    process.types(b"?+-\nq");
    let _ = Ran::of(&process).await.expect(0);

    let deaf = fleet.dropin("ffmpeg", ["-nostdin", "-fake-say", "up", "-fake-hang"]).keyboard().start();
    deaf.says("up").await;
    deaf.types(b"q");
    deaf.signal(Signal::SIGTERM);
    let _ = Ran::of(&deaf).await.expect(255);
}

#[tokio::test]
async fn a_file_that_was_quit_can_be_played() {
    let fleet = with_real_ffmpeg().await;
    let early = fleet.dropin("ffmpeg", ENDLESS.into_iter().chain(["-c:v", "libx264", "early.mkv"])).keyboard().start();
    early.types(b"q");
    assert_eq!(Ran::of(&early).await.expect(0).stderr, "");
    assert!(frames(&fleet.media().join("early.mkv")) > 0);

    let args = ENDLESS.into_iter().chain(["-stats", "-c:v", "mpeg4", "late.mp4"]);
    let late = fleet.dropin("ffmpeg", args).keyboard().start();
    late.shows("time=00:00:01").await;
    late.types(b"q");
    let _ = Ran::of(&late).await.expect(0);
    assert!(frames(&fleet.media().join("late.mp4")) >= 20);
}

#[tokio::test]
async fn no_question_waits_for_an_answer() {
    let fleet = with_real_ffmpeg().await;
    std::fs::write(fleet.media().join("there.mkv"), "precious").unwrap();
    let args = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1", "-c:v", "mpeg4"];
    let onto =
        |name: &'static str, more: &[&'static str]| fleet.dropin("ffmpeg", args.iter().chain(more).chain(&[name]));
    let silent = onto("there.mkv", &[]).keyboard().start();
    let closed = onto("there.mkv", &[]).start();
    for process in [&silent, &closed] {
        let ran = Ran::of(process).await.expect(1);
        assert!(ran.stderr.contains("already exists"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read_to_string(fleet.media().join("there.mkv")).unwrap(), "precious");
    // Nor does a keyboard that nobody touches disturb.
    let silent = onto("there.mkv", &["-y"]).keyboard().start();
    let _ = Ran::of(&silent).await.expect(0);
    assert_eq!(frames(&fleet.media().join("there.mkv")), 25);
}

#[tokio::test]
async fn its_job_does_not_outlive_it() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    fleet.worker("box").await;
    let process = fleet.dropin("ffmpeg", ["-fake-say", "up", "-fake-hang"]).start();
    process.says("up").await;
    process.kill9().await;
    let end = fleet.wait(fleet.newest().await).until(JobStatus::Canceled).await;
    assert_eq!(end.summary.outcome.unwrap().canceled, Some(CancelReason::ClientGone));
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn it_ends_when_nobody_reads_what_it_writes() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let script = "ffmpeg -fake-bytes 1:500000 -fake-gate \"$0\" -fake-bytes 2:500000 -fake-hang | { head -c 1000 \
                  >/dev/null; : >\"$0\"; }; echo ${PIPESTATUS[0]}";
    let gate = fleet.gate("read");
    let ran = fleet.script(script, [gate.path()]).run().await.expect(0);
    assert_eq!(ran.text(), "1\n", "{}", ran.stderr);
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn a_slow_reader_loses_nothing() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let gate = fleet.gate("read");
    // Far more than pipes hold; meanwhile signals are still heard.
    let steps = ["-fake-bytes", "5:4000000", "-fake-touch", gate.path(), "-fake-hang"];
    let script = format!(
        "ffmpeg {} | {{ while [ ! -e \"$0\" ]; do :; done; wc -c; }}; echo ${{PIPESTATUS[0]}}",
        steps.join(" ")
    );
    let process = fleet.script(&script, [gate.path()]).start();
    gate.opened().await;
    let id = fleet.newest().await;
    fleet.wait(id).until(JobStatus::Running).await;
    fleet.chief().signal(id, ffleet_protocol::state::SignalKind::Terminate).await.unwrap();
    assert_eq!(Ran::of(&process).await.expect(0).text(), "4000000\n255\n");
}

/// A script as media servers are: it starts the program with its keyboard and its messages in its hands, looks every 100 ms
/// whether there is something to play, stops it with `q`, waits 5 s, and kills what is left.
const MEDIA_SERVER: &str = r#"
    mkfifo keys
    ffmpeg "$@" <keys 2>messages &
    program=$!
    exec 9>keys
    until [ -s "$0" ]; do
        kill -0 $program || { echo "no output"; cat messages; exit 1; }
        sleep 0.1
    done
    until tr '\r' '\n' <messages | grep -q 'time=00'; do sleep 0.1; done
    printf q >&9
    for look in $(seq 50); do kill -0 $program 2>/dev/null || break; sleep 0.1; done
    kill -9 $program 2>/dev/null && echo killed
    wait $program
    echo "ended with $?"
"#;

#[tokio::test]
async fn a_media_server_is_served() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    fleet.worker_with(WorkerSetup::new("box").real_ffmpeg()).await;
    let hls = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-f", "hls", "-hls_list_size", "0"];
    let args = ["live.m3u8", "-stats"].into_iter();
    let args = args.chain(ENDLESS).chain(hls).chain(["-hls_segment_filename", "live%03d.ts", "live.m3u8"]);
    let ran = fleet.script(MEDIA_SERVER, args).run().await.expect(0);
    let id = fleet.newest().await;
    if ran.text().contains("killed") {
        // The machine was too busy for 5 s; then nothing may be left of it either.
        fleet.wait(id).until_done().await;
    } else {
        assert_eq!(ran.text(), "ended with 0\n", "{}", ran.stderr);
        assert_eq!(fleet.job(id).await.summary.status, JobStatus::Completed);
        let playlist = std::fs::read_to_string(fleet.media().join("live.m3u8")).unwrap();
        assert!(playlist.contains("#EXT-X-ENDLIST"), "{playlist}");
        assert!(frames(&fleet.media().join("live.m3u8")) > 0);
    }
    fleet.gone("live%03d.ts").await;
}

#[tokio::test]
async fn what_a_media_server_kills_is_gone() {
    let fleet = Fleet::setup().config(SHORT_LEASES).start().await;
    fleet.worker("box").await;
    let out = fleet.gate("out");
    let steps = ["-fake-ignore-q", "-fake-write", out.path(), "media", "-fake-say", "time=00:00:01", "-fake-hang"];
    let ran = fleet.script(MEDIA_SERVER, [out.path()].into_iter().chain(steps)).run().await.expect(0);
    assert_eq!(ran.text(), "killed\nended with 137\n", "{}", ran.stderr);
    fleet.wait(fleet.newest().await).until(JobStatus::Canceled).await;
    fleet.gone("-fake-hang").await;
}

#[tokio::test]
async fn a_local_program_takes_over_when_no_coordinator_answers() {
    let fleet = Fleet::start().await;
    let local = program("fake-ffmpeg");
    let steps = ["-fake-say", "here", "-fake-out", "local", "-fake-exit", "7"];
    let with_fallback = |local: &Path| {
        let cli = fleet.dropin("ffmpeg", steps).env("FFLEET_DROPIN__FALLBACK_AFTER_S", "1");
        cli.env("FFLEET_DROPIN__FALLBACK__FFMPEG", local)
    };
    // It holds connections and says nothing: nothing may have been submitted when somebody else does the work.
    fleet.coordinator().process().stop();
    let ran = with_fallback(&local).run().await.expect(7);
    assert_eq!(ran.text(), "local\n");
    let said = format!("ffleet: no coordinator answers; running {} on this machine\nhere\n", local.display());
    assert_eq!(ran.stderr, said);
    fleet.coordinator().process().cont();
    let jobs = fleet.chief().jobs(&ffleet_protocol::job::JobFilter::default()).await.unwrap().jobs;
    assert!(jobs.is_empty(), "{jobs:?}");

    fleet.coordinator().kill9().await;
    let _ = with_fallback(&local).run().await.expect(7);
    let ran = with_fallback(&fleet.dropin_path("ffmpeg")).run().await.expect(125);
    assert!(ran.stderr.contains("is ffleet itself"), "{}", ran.stderr);
    let ran = fleet.dropin("ffmpeg", steps).env("FFLEET_DEADLINE_S", "0").run().await.expect(125);
    assert!(
        ran.stdout.is_empty() && ran.stderr.starts_with("ffleet: no coordinator could be reached"),
        "{}",
        ran.stderr
    );
    fleet.coordinator().restart().await;

    // Where one answers, nothing takes over, whatever it says.
    let ran = with_fallback(&local).env("FFLEET_KEY_FILE", fleet.dir().join("keys/farm.key")).run().await.expect(125);
    assert!(ran.stdout.is_empty(), "{}", ran.stderr);
    fleet.worker("box").await;
    assert_eq!(with_fallback(&local).run().await.expect(7).stderr, "here\n");
}

#[tokio::test]
async fn what_the_fleet_refuses_is_said_once() {
    let fleet = Fleet::start().await;
    for args in [&["-i", "-", "out.mkv"][..], &["-i", "/nowhere/a.mkv", "out.mkv"]] {
        let ran = fleet.dropin("ffmpeg", args).run().await.expect(125);
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with("ffleet: "), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn a_supervisors_signal_cancels_what_was_submitted() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let process: Process = fleet.ffleet(["submit", "--", "-fake-say", "up", "-fake-hang"]).start();
    process.says("up").await;
    process.signal(Signal::SIGTERM);
    let _ = Ran::of(&process).await.expect(130);
    fleet.wait(fleet.newest().await).until(JobStatus::Canceled).await;
    fleet.gone("-fake-hang").await;
}
