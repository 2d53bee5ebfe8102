//! Real media, real FFmpeg, and a worker that calls the files by another name than the client does.

use std::process::Command;

use ffleet_protocol::state::{JobStatus, SignalKind, TaskStatus};
use ffleet_tests::{Fleet, WorkerSetup, job, spec};
use serde_json::{Value, json};

/// A second of picture and sound.
async fn studio_with_a_clip() -> Fleet {
    let fleet = Fleet::start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(2).real_ffmpeg()).await;
    let clip = fleet.media().join("clip.mkv");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=1"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-c:v", "mpeg4", "-c:a", "aac"])
        .arg(&clip)
        .status()
        .unwrap();
    assert!(made.success());
    fleet
}

fn probed(file: &std::path::Path) -> Value {
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json", "-show_streams", "-show_format"])
        .arg(file)
        .output()
        .unwrap();
    serde_json::from_slice(&probe.stdout).unwrap()
}

#[tokio::test]
async fn an_encode_travels_there_and_back() {
    let fleet = studio_with_a_clip().await;
    let (clip, out) = (fleet.media().join("clip.mkv"), fleet.media().join("x264.mp4"));
    let args =
        ["submit", "--", "-hide_banner", "-i", clip.to_str().unwrap(), "-c:v", "libx264", "-preset", "ultrafast"];
    let ran = fleet.ffleet(args.into_iter().chain([out.to_str().unwrap()])).run().await.expect(0);
    assert!(ran.stdout.is_empty(), "an encode prints nothing on stdout: {:?}", ran.text());
    assert!(ran.stderr.contains("Stream mapping"), "FFmpeg's own words are shown: {}", ran.stderr);

    let media = probed(&out);
    let codecs: Vec<_> = media["streams"].as_array().unwrap().iter().map(|stream| &stream["codec_name"]).collect();
    assert_eq!(codecs, ["h264", "aac"]);

    // What travelled names no directory of either machine.
    let view = fleet.job(fleet.newest().await).await;
    let said = serde_json::to_string(&view.spec).unwrap();
    assert!(said.contains("$Media/clip.mkv") && said.contains("$Media/x264.mp4"), "{said}");
    assert!(!said.contains(fleet.dir().to_str().unwrap()), "{said}");
    assert_eq!(view.tasks[0].attempts.len(), 1);
}

#[tokio::test]
async fn relative_paths_follow_the_working_directory() {
    let fleet = studio_with_a_clip().await;
    let folder = fleet.media().join("cut 1");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(fleet.media().join("clip.mkv"), folder.join("a $ b.mkv")).unwrap();
    let args = ["submit", "--", "-v", "error", "-i", "a $ b.mkv", "-c", "copy", "file:out.mkv"];
    let _ = fleet.ffleet(args).cwd(&folder).run().await.expect(0);
    assert!(folder.join("out.mkv").exists());
}

#[tokio::test]
async fn ffprobes_json_comes_back_byte_for_byte() {
    let fleet = studio_with_a_clip().await;
    let args = ["-v", "error", "-of", "json", "-show_streams", "-show_format", "clip.mkv"];
    let here = Command::new("ffprobe").args(args).current_dir(fleet.media()).output().unwrap().stdout;
    let ran = fleet.ffleet(["submit", "--binary", "ffprobe", "--"].into_iter().chain(args)).run().await.expect(0);
    assert_eq!(ran.text(), String::from_utf8(here).unwrap());
}

#[tokio::test]
async fn media_through_stdout_arrives_whole() {
    let fleet = studio_with_a_clip().await;
    let args = ["-v", "error", "-i", "clip.mkv", "-map", "0:v", "-f", "rawvideo", "-frames:v", "5", "pipe:1"];
    let ran = fleet.ffleet(["submit", "--"].into_iter().chain(args)).run().await.expect(0);
    let here = Command::new("ffmpeg").arg("-nostdin").args(args).current_dir(fleet.media()).output().unwrap().stdout;
    assert_eq!(ran.stdout.len(), here.len());
    assert!(ran.stdout == here, "the bytes differ");
}

#[tokio::test]
async fn an_encode_tells_how_far_it_is() {
    let fleet = studio_with_a_clip().await;
    // In real time, so that there is something to tell.
    let args =
        ["-v", "error", "-re", "-stream_loop", "3", "-i", "$Media/clip.mkv", "-c:v", "mpeg4", "-y", "$Media/slow.mkv"];
    let id = fleet.submit(&job(args)).await;
    fleet.wait(id).until_progress().await;
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    let progress = end.tasks[0].progress.as_ref();
    assert!(progress.is_some_and(|progress| progress.out_time_us > Some(0)), "{progress:?}");
}

#[tokio::test]
async fn a_missing_input_is_named() {
    let fleet = studio_with_a_clip().await;
    let args = ["-v", "error", "-i", "$Media/none.mkv", "$Media/out.mkv"];
    let id = fleet.submit(&spec(args, json!({ "retry": { "retries": 0 } }))).await;
    let end = fleet.wait(id).until(JobStatus::Failed).await;
    let outcome = end.summary.outcome.unwrap();
    assert_eq!(outcome.failure.unwrap().as_str(), "input_not_found", "{outcome:?}");
    assert!(outcome.exit_code.is_some_and(|code| code != 0));
    assert_eq!(end.tasks[0].status, TaskStatus::Failed);
}

#[tokio::test]
async fn quit_makes_ffmpeg_end_well_with_a_good_file() {
    let fleet = studio_with_a_clip().await;
    let endless = ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-c:v", "mpeg4"];
    let id = fleet.submit(&job(endless.into_iter().chain(["$Media/endless.mkv"]))).await;
    fleet.wait(id).until_progress().await;
    fleet.api().signal(id, SignalKind::Quit).await.unwrap();
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!(end.summary.outcome.unwrap().exit_code, Some(0));
    assert_eq!(probed(&fleet.media().join("endless.mkv"))["streams"][0]["codec_name"], "mpeg4");
}
