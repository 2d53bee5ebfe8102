//! What `cargo xtask install` leaves on a system. The programs are those that were built for the tests.

use std::{fs, path::Path, process::Command};

use ffleet_tests::program;

fn install(prefix: &Path, more: &[&str]) -> (bool, String) {
    let programs = program("ffleet");
    let mut command = Command::new(program("xtask"));
    command.args(["install", "--prefix"]).arg(prefix).arg("--programs").arg(programs.parent().unwrap()).args(more);
    let ended = command.output().unwrap();
    (ended.status.success(), String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned())
}

#[test]
fn programs_pages_and_completions_are_put_where_systems_look() {
    let prefix = tempfile::tempdir().unwrap();
    let at = |path: &str| prefix.path().join(path);
    // Twice: an installation is renewed by another one.
    for _ in 0..2 {
        let (well, said) = install(prefix.path(), &[]);
        assert!(well, "{said}");
    }
    for name in ["ffleet", "ffleet-coordinator", "ffleet-worker"] {
        let ended = Command::new(at("bin").join(name)).arg("--version").output().unwrap();
        assert!(ended.status.success() && String::from_utf8_lossy(&ended.stdout).starts_with(name));
        let page = fs::read_to_string(at("share/man/man1").join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        let scripts = [
            at("share/bash-completion/completions").join(name),
            at("share/zsh/site-functions").join(format!("_{name}")),
            at("share/fish/vendor_completions.d").join(format!("{name}.fish")),
        ];
        for script in scripts {
            assert!(fs::read_to_string(&script).unwrap().contains(name), "{}", script.display());
        }
        let script = at("share/bash-completion/completions").join(name);
        let complete = format!("set -e; source {}; complete -p {name}", script.display());
        let ended = Command::new("bash").args(["-c", &complete]).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    for page in ["ffleet-submit", "ffleet-job-retry", "ffleet-account-add", "ffleet-coordinator-init"] {
        assert!(at("share/man/man1").join(format!("{page}.1")).is_file(), "{page}");
    }
    let submit = fs::read_to_string(at("share/man/man1/ffleet-submit.1")).unwrap();
    assert!(submit.contains("each\\-file") && submit.contains("Examples:"), "{submit}");
    assert!(!at("bin/ffmpeg").exists(), "the drop-in names only when they are asked for");
    let left: Vec<_> = fs::read_dir(at("bin")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing else is left: {left:?}");
}

#[test]
fn the_drop_in_names_are_links_and_foreign_programs_stay() {
    let prefix = tempfile::tempdir().unwrap();
    let bin = prefix.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("ffprobe"), "somebody's").unwrap();
    let (well, said) = install(prefix.path(), &["--drop-in"]);
    assert!(!well && said.contains("ffprobe is there and is not ours"), "{said}");
    assert!(!bin.join("ffleet").exists(), "and nothing was changed");
    fs::remove_file(bin.join("ffprobe")).unwrap();
    for _ in 0..2 {
        let (well, said) = install(prefix.path(), &["--drop-in"]);
        assert!(well, "{said}");
    }
    for name in ["ffmpeg", "ffprobe"] {
        assert_eq!(fs::read_link(bin.join(name)).unwrap(), Path::new("ffleet"));
    }
}
