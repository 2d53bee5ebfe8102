//! A client that nobody here wrote: the script of docs/api.md, as it stands there, with packages from PyPI.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use ffleet_protocol::{job::JobFilter, state::JobStatus};
use ffleet_tests::{Fleet, repository};

/// What is installed, and what the page tells its readers to install.
const PACKAGES: &str = "http-message-signatures==3.0.0 requests==2.34.2";

/// The part of a page between two lines of code fences.
fn code<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// A virtual environment in the target folder, made once.
fn python() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let venv = me.ancestors().nth(3).unwrap().join("python-client");
    let (python, mark) = (venv.join("bin/python"), venv.join("installed"));
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == PACKAGES) {
        return python;
    }
    // Two runs may make it at the same time; each makes its own, and the last one stays.
    let draft = tempfile::Builder::new().prefix("python-client-").tempdir_in(venv.parent().unwrap()).unwrap();
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(draft.path()), "cargo xtask prepare");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let mut install = Command::new(draft.path().join("bin/python"));
    run(install.args(pip).args(PACKAGES.split(' ')), "this needs PyPI, or a mirror of it in pip's configuration");
    fs::write(draft.path().join("installed"), PACKAGES).unwrap();
    let _ = fs::remove_dir_all(&venv);
    // An environment knows its place only in scripts that are not used here; its python finds itself.
    if fs::rename(draft.path(), &venv).is_ok() {
        let _ = draft.keep();
    }
    assert!(python.exists(), "{} is not there", python.display());
    python
}

fn run(command: &mut Command, hint: &str) {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}; {hint}"));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?} ended with {}; {hint}\n{said}", ended.status);
}

struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

async fn client(python: &Path, fleet: &Fleet, script: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(python);
    command.arg(script).arg(fleet.coordinator().url().as_str().trim_end_matches('/'));
    command.arg(fleet.dir().join("keys/studio.key")).args(args).env("NO_PROXY", "*");
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    Ended { code: ended.status.code(), stdout: ended.stdout, stderr }
}

#[tokio::test]
async fn the_script_of_the_manual_submits_follows_and_reads() {
    let page = fs::read_to_string(repository().join("docs/api.md")).unwrap();
    assert!(code(&page, "sh").contains(PACKAGES), "the page names what is tried here");
    let python = tokio::task::spawn_blocking(python).await.unwrap();
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let script = fleet.dir().join("client.py");
    fs::write(&script, code(&page, "python")).unwrap();

    let steps = ["-fake-out", "über", "-fake-bytes", "7:100000", "-fake-lines", "1200", "-fake-exit", "3"];
    let ended = client(&python, &fleet, &script, &steps).await;
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let expected = ["über\n".as_bytes(), &ffleet_tests::noise(7, 100_000)].concat();
    assert_eq!(ended.stdout, expected, "byte for byte");
    let lines: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("line ")).collect();
    let expected: Vec<String> = (1..=1_200).map(|n| format!("line {n}")).collect();
    assert_eq!(lines, expected);
    let filter = JobFilter { label: Some("client=python".to_owned()), ..JobFilter::default() };
    let jobs = fleet.api().jobs(&filter).await.unwrap().jobs;
    assert_eq!((jobs.len(), jobs[0].status), (1, JobStatus::Failed));
    assert!(ended.stderr.contains(&format!("job {} failed", jobs[0].id)), "{}", ended.stderr);

    let refused = client(&python, &fleet, &script, &["-i", "/outside.mkv"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("path_outside: "), "{}", refused.stderr);
}
