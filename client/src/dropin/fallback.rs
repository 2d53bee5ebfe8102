//! Becoming the local program, when no coordinator answers.

use std::{ffi::OsString, fs, os::unix::fs::MetadataExt, os::unix::process::CommandExt, path::Path, process::Command};

use anyhow::{Context, bail};
use ffleet_client::Api;
use ffleet_protocol::id::JobId;

/// Whether a coordinator answers while there is time. What is asked changes nothing, so that it is certain afterwards that
/// no job was begun.
pub async fn answers(api: &Api, within: std::time::Duration) -> bool {
    // No job has this id; being told so is the answer that is hoped for.
    let api = api.with_deadline(within).with_try_timeout(within);
    let asked = tokio::time::timeout(within, api.job(JobId::new())).await;
    asked.is_ok_and(|answer| !answer.is_err_and(|error| error.is_passing()))
}

/// Becomes the program at `path`; returns only when that does not work.
pub fn become_local(path: &Path, args: &[OsString]) -> anyhow::Error {
    match is_ourselves(path) {
        Ok(false) => {}
        Ok(true) => {
            return anyhow::anyhow!("{} is ffleet itself; name the real program in dropin.fallback", path.display());
        }
        Err(error) => return error,
    }
    let mut command = Command::new(path);
    // A script there may lead back to us, which must not go round in circles.
    command.args(args).env("FFLEET_DROPIN__FALLBACK__FFMPEG", "").env("FFLEET_DROPIN__FALLBACK__FFPROBE", "");
    anyhow::Error::new(command.exec()).context(format!("dropin.fallback: cannot run {}", path.display()))
}

/// By inode: we may go by many names.
fn is_ourselves(path: &Path) -> anyhow::Result<bool> {
    let other = fs::metadata(path).with_context(|| format!("dropin.fallback: {}", path.display()))?;
    if !other.is_file() {
        bail!("dropin.fallback: {} is not a file", path.display());
    }
    let own = fs::metadata("/proc/self/exe").context("cannot find out which program this is")?;
    Ok((other.dev(), other.ino()) == (own.dev(), own.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_becomes_itself() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("ffmpeg");
        std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &link).unwrap();
        assert!(become_local(&link, &[]).to_string().contains("ffleet itself"));
        assert!(become_local(folder.path(), &[]).to_string().contains("not a file"));
        assert!(become_local(&folder.path().join("none"), &[]).to_string().contains("dropin.fallback"));
    }
}
