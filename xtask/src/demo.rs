//! `cargo xtask demo`: one coordinator, one worker and one client on this machine, and an encode that travels between
//! them. Client and worker know the same files under different names, as two machines would.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    install,
    run::{built, cargo, catch_interruptions, interrupted, output, root, sh, step},
    scene::Scene,
};

const EXAMPLES: &str = "\
Examples:
  cargo xtask demo
  cargo xtask demo --seconds 60      a longer clip, to have time to look around

What it starts it stops again, also on Ctrl-C. The encoded file stays under target/demo/.";

/// Run a coordinator, a worker and a client on this machine and encode a clip with them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Length of the clip that is made and encoded
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// The encoder to use
    #[arg(long, default_value = "libx264")]
    encoder: String,
}

/// Runs the demo; whatever it put on the machine is gone afterwards, except the result.
pub fn run(args: &Args) -> Result<()> {
    catch_interruptions()?;
    step("install", install::ffmpeg)?;
    step("build", || {
        let packages = ["ffleet-coordinator", "ffleet-worker", "ffleet-client"].map(|name| ["--package", name]);
        sh(cargo(["build", "--bins", "--locked"]).args(packages.as_flattened()))
    })?;
    let mut scene = Scene::new()?;
    let result = perform(args, &mut scene);
    if result.is_err() && !interrupted() {
        scene.show_logs();
    }
    let stopped = step("stop", || scene.stop());
    let kept = result?;
    stopped?;
    drop(scene);
    println!("\nThe encoded clip: {}", kept.display());
    Ok(())
}

fn perform(args: &Args, scene: &mut Scene) -> Result<PathBuf> {
    let programs = built()?;
    let studio = scene.folder("studio")?;
    let clip = studio.join("clip.mp4");
    step("a clip to encode", || make_clip(&clip, args.seconds))?;

    let url = step("a coordinator", || start_coordinator(scene, &programs))?;
    step("a worker that calls the same files by another name", || start_worker(scene, &programs, &studio, &url))?;

    let encoded = studio.join("encoded.mp4");
    step("submit and follow", || submit(args, scene, &programs, &url, &clip, &encoded))?;
    step("the result, as ffprobe sees it", || look_at(&encoded))?;

    let kept = root().join("target/demo");
    fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
    let kept = kept.join("encoded.mp4");
    fs::copy(&encoded, &kept).with_context(|| format!("cannot keep the result as {}", kept.display()))?;
    Ok(kept)
}

fn make_clip(clip: &Path, seconds: u32) -> Result<()> {
    let picture = format!("testsrc2=size=1280x720:rate=25:duration={seconds}");
    let sound = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
    ffmpeg.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound]);
    // Cheap to make and large, so that the encode has something to do.
    ffmpeg.args(["-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac"]).arg(clip);
    sh(&mut ffmpeg)
}

/// Makes the configuration, the accounts and their keys, and starts the server on a free port.
fn start_coordinator(scene: &mut Scene, programs: &Path) -> Result<String> {
    let folder = scene.path("coordinator");
    let config = folder.join("coordinator.toml");
    let ours = || Command::new(programs.join("ffleet-coordinator"));
    sh(ours().args(["init", "--dir"]).arg(&folder).stdout(Stdio::null()))?;
    for (account, role) in [("studio", "client"), ("farm", "worker")] {
        let add = ["account", "add", account, "--role", role, "--out"];
        sh(ours().arg("--config").arg(&config).args(add).arg(scene.path(&format!("{account}.key"))))?;
    }
    let mut serve = ours();
    serve.arg("--config").arg(&config).args(["--listen", "127.0.0.1:0"]);
    let line = scene.serve("coordinator", &mut serve, "listening on http://")?;
    let url = line
        .split_whitespace()
        .map(|word| word.trim_matches('"'))
        .find(|word| word.starts_with("http://"))
        .with_context(|| format!("no address in {line:?}"))?;
    println!("it listens on {url}");
    Ok(url.to_owned())
}

fn start_worker(scene: &mut Scene, programs: &Path, studio: &Path, url: &str) -> Result<()> {
    let machine = scene.folder("render-box")?;
    let media = machine.join("volume-7");
    symlink(studio, &media).with_context(|| format!("cannot make {}", media.display()))?;
    let config = scene.file(
        "worker.toml",
        &format!(
            "id = \"render-box\"\ncoordinators = [\"{url}\"]\nkey_file = \"{}\"\nstate_dir = \"{}\"\n\n\
             [paths]\nMedia = \"{}\"\n",
            scene.path("farm.key").display(),
            scene.folder("render-box/state")?.display(),
            media.display(),
        ),
    )?;
    let mut command = Command::new(programs.join("ffleet-worker"));
    command.arg("--config").arg(config);
    scene.serve("worker", &mut command, "registered as render-box")?;
    println!("on the client $Media is {}\non the worker $Media is {}", studio.display(), media.display());
    Ok(())
}

fn submit(args: &Args, scene: &Scene, programs: &Path, url: &str, clip: &Path, encoded: &Path) -> Result<()> {
    let studio = clip.parent().context("the clip lies in no folder")?;
    let config = scene.file(
        "ffleet.toml",
        &format!(
            "coordinators = [\"{url}\"]\nkey_file = \"{}\"\n\n[paths]\nMedia = \"{}\"\n",
            scene.path("studio.key").display(),
            studio.display(),
        ),
    )?;
    let mut ffleet = Command::new(programs.join("ffleet"));
    ffleet.env("FFLEET_CONFIG", config).current_dir(studio).args(["submit", "--label", "from=demo", "--"]);
    ffleet.arg("-hide_banner").arg("-i").arg(clip);
    ffleet.args(["-c:v", &args.encoder, "-c:a", "aac"]).arg(encoded);
    sh(&mut ffleet)?;
    if interrupted() {
        bail!("interrupted");
    }
    Ok(())
}

fn look_at(encoded: &Path) -> Result<()> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-hide_banner", "-v", "error", "-of", "default=noprint_wrappers=1"]);
    ffprobe.args(["-show_entries", "stream=codec_type,codec_name,width,height:format=format_name,duration,size"]);
    let seen = output(ffprobe.arg(encoded))?;
    print!("{seen}");
    if seen.contains("codec_name=") { Ok(()) } else { bail!("ffprobe sees no stream in {}", encoded.display()) }
}
