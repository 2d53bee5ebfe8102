//! What the program says when it is asked for help, and when it cannot even begin.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

const KEY: &str = "farm.1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

#[test]
fn words_on_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let key = written(&home.path().join("key"), KEY, 0o600);
    cases(home.path(), &key).case("tests/cmd/*.toml");
}

#[test]
fn words_about_keys_that_cannot_be_used() {
    let home = tempfile::tempdir().unwrap();
    let open = written(&home.path().join("open"), KEY, 0o644);
    cases(home.path(), &open).case("tests/cmd/key/open.toml").run();
    let torn = written(&home.path().join("torn"), "farm.1:AAEC\n", 0o600);
    cases(home.path(), &torn).case("tests/cmd/key/torn.toml").run();
}

fn cases(home: &Path, key: &str) -> trycmd::TestCases {
    let cases = trycmd::TestCases::new();
    cases.env("HOME", home.display().to_string()).env("FFLEET_KEY_FILE", key);
    cases.insert_var("[HOME]", home.display().to_string()).unwrap();
    cases
}

fn written(path: &Path, text: &str, mode: u32) -> String {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}
