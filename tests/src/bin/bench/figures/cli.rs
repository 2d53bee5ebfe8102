//! What the client program adds to what it runs.

use std::{os::unix::fs::symlink, process::Command};

use anyhow::Result;
use ffleet_tests::load::{Samples, Site};

use crate::{
    Bench,
    raw::{run as once, runs},
    report::Figure,
};

pub async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let site = bench.site("").await?;
    let fake = bench.program("fake-ffmpeg");
    let paths = format!("slots = 2\n[paths]\nMedia = {:?}\n[programs]\nffmpeg = {fake:?}", site.path("media"));
    let _worker = site.worker("farm-1", &paths).await?;
    let config = site.client_config()?;
    let client = |program: &str| {
        let mut command = site.command(program);
        command.env("FFLEET_CONFIG", &config).current_dir(site.path("media"));
        command
    };

    let times = bench.count(50).max(10);
    let help = runs(times * 2, || {
        let mut command = client("ffleet");
        command.arg("--help");
        command
    })?;
    let nothing = runs(times * 2, || Command::new("/bin/true"))?;

    let (submit, submit_local) = beside(
        times,
        || {
            let mut command = client("ffleet");
            command.args(["submit", "--", "-fake-say", "done"]);
            command
        },
        || {
            let mut command = Command::new(&fake);
            command.args(["-fake-say", "done"]);
            command
        },
    )?;

    let clip = clip(&site)?;
    let dropin = site.path("ffprobe");
    symlink(bench.program("ffleet"), &dropin)?;
    let arguments = ["-v", "error", "-of", "json", "-show_streams", &clip];
    let (probe, probe_local) = beside(
        times,
        || {
            let mut command = site.command("ffleet");
            command = {
                let mut named = Command::new(&dropin);
                named.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
                named
            };
            command.env("FFLEET_CONFIG", &config).current_dir(site.path("media")).args(arguments);
            command
        },
        || {
            let mut command = Command::new("ffprobe");
            command.args(arguments);
            command
        },
    )?;
    Ok(vec![
        beyond("cli_submit_beyond_local_ms", &submit, &submit_local, 40.0),
        beyond("dropin_ffprobe_beyond_local_ms", &probe, &probe_local, 40.0),
        Figure::at_most("cli_help_ms", help.median_ms(), "ms", 5.0).beside(nothing.median_ms()),
    ])
}

fn beyond(name: &'static str, fleet: &Samples, local: &Samples, reach: f64) -> Figure {
    Figure::at_most(name, fleet.median_ms() - local.median_ms(), "ms", reach).beside(local.median_ms())
}

/// Both, turn by turn.
fn beside(
    times: u64,
    mut one: impl FnMut() -> Command,
    mut other: impl FnMut() -> Command,
) -> Result<(Samples, Samples)> {
    let (mut first, mut second) = (Samples::default(), Samples::default());
    for _ in 0..times {
        first.push(once(&mut one())?);
        second.push(once(&mut other())?);
    }
    Ok((first, second))
}

/// A second of video.
fn clip(site: &Site) -> Result<String> {
    let path = site.path("media/clip.mkv").to_string_lossy().into_owned();
    let source = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=duration=1", "-c:v", "mpeg4", &path];
    once(Command::new("ffmpeg").args(source))?;
    Ok(path)
}
