//! What the program says when it cannot begin: which file, which key, and what to do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

const KEY: &str = "farm.1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.path("key"), KEY).unwrap();
        place.mode("key", 0o600);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs it with this configuration, on top of what is needed; nobody listens at the coordinator's address.
    fn run(&self, args: &[&str], more: &str) -> Output {
        let least =
            "id = \"box\"\ncoordinators = [\"http://127.0.0.1:1\"]\nkey_file = \"key\"\nstate_dir = \"state\"\n";
        let given: Vec<_> = more.lines().filter_map(|line| line.split(" = ").next()).collect();
        let least = least.lines().filter(|line| !given.iter().any(|key| line.starts_with(&format!("{key} = "))));
        let text = least.map(|line| format!("{line}\n")).collect::<String>() + more;
        fs::write(self.path("worker.toml"), text).unwrap();
        Command::new(env!("CARGO_BIN_EXE_ffleet-worker"))
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            .output()
            .unwrap()
    }

    fn refused(&self, more: &str, words: &[&str]) {
        let ran = self.run(&["run"], more);
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing in {said}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_configuration_is_named_with_its_place() {
    let place = Place::new();
    place.refused("slotz = 2\n", &["unknown key `slotz`", "worker.toml, line 5", "did you mean `slots`?"]);
    place.refused("[paths]\nMedia = \"media\"\n", &["`paths.Media`", "not an absolute path"]);
    place.refused("coordinators = [\"ftp://farm\"]\n", &["`coordinators`", "neither http nor https"]);
    place.refused("slots = \"two\"\n", &["`slots`", "line 5"]);
    place.refused("slots = \n", &["worker.toml is not valid TOML: line 5"]);
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let place = Place::new();
    place.refused("key_file = \"none\"\n", &["the key cannot be used", "none", "No such file"]);
    fs::write(place.path("torn"), "farm.1:AAEC\n").unwrap();
    place.mode("torn", 0o600);
    place.refused("key_file = \"torn\"\n", &["the key cannot be used", "torn"]);
    place.mode("key", 0o644);
    place.refused("", &["key can be read by others (mode 0644)", "chmod 600", "allow_open_files"]);
    // Told to, it takes it, and goes on to the next thing that is wrong.
    fs::write(place.path("file"), "").unwrap();
    place.refused("allow_open_files = true\nstate_dir = \"file/state\"\n", &["file/state", "state_dir"]);
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    for dir in ["file/state", "/proc/ffleet"] {
        place.refused(&format!("state_dir = \"{dir}\"\n"), &["the state directory", dir, "set `state_dir`"]);
    }
    let checked = place.run(&["check"], "[paths]\nMedia = \"/nonexistent\"\n");
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("PROBLEM") && said.contains("/nonexistent"), "{said}");
}
