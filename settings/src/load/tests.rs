//! File, environment and flags: who wins, and what is said when something is wrong.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Environment, Overrides, SettingsError, Source, load_in};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Config {
    id: String,
    #[serde(default)]
    slots: u32,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    paths: BTreeMap<String, String>,
    #[serde(default)]
    urls: Vec<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Log {
    format: Format,
    level: String,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json,
}

struct Setting {
    folder: tempfile::TempDir,
    environment: Environment,
}

fn setting(text: &str, vars: &[(&str, &str)]) -> Setting {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("worker.toml"), text).unwrap();
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let environment = Environment { vars, folders: vec!["/nonexistent".into(), folder.path().to_owned()] };
    Setting { folder, environment }
}

fn source() -> Source {
    Source { flag: None, env_var: "FFLEET_WORKER_CONFIG", file_name: "worker.toml", env_prefix: "FFLEET_WORKER_" }
}

fn load(setting: &Setting, overrides: &Overrides) -> Result<Config, SettingsError> {
    load_in::<Config>(&setting.environment, &source(), overrides).map(|loaded| loaded.value)
}

fn refusal(text: &str, vars: &[(&str, &str)]) -> String {
    let setting = setting(text, vars);
    let folder = setting.folder.path().display().to_string();
    load(&setting, &Overrides::none()).unwrap_err().to_string().replace(&folder, "DIR")
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let setting = setting(
        "id = 'file'\nslots = 1\n[log]\nlevel = 'info'\nformat = 'json'\n[paths]\nMedia = '/file'",
        &[
            ("FFLEET_WORKER_ID", "env"),
            ("FFLEET_WORKER_SLOTS", "2"),
            ("FFLEET_WORKER_LOG__LEVEL", "debug"),
            ("FFLEET_WORKER_PATHS__Other", "/env"),
            ("FFLEET_WORKER_URLS", r#"["http://a", "http://b"]"#),
        ],
    );
    let config =
        load(&setting, &Overrides::none().flag("--slots", "slots", Some(3)).flag("--id", "id", None::<String>));
    let config = config.unwrap();
    assert_eq!((config.id.as_str(), config.slots), ("env", 3));
    assert_eq!(config.log, Log { format: Format::Json, level: "debug".into() });
    assert_eq!(
        config.paths.into_iter().collect::<Vec<_>>(),
        [("Media".to_owned(), "/file".to_owned()), ("Other".to_owned(), "/env".to_owned())]
    );
    assert_eq!(config.urls, ["http://a", "http://b"]);
}

#[test]
fn the_file_is_looked_for_in_order() {
    let setting = setting("id = 'found'", &[]);
    let named = setting.folder.path().join("named.toml");
    std::fs::write(&named, "id = 'named'").unwrap();

    let found = load_in::<Config>(&setting.environment, &source(), &Overrides::none()).unwrap();
    assert_eq!((found.value.id.as_str(), found.path), ("found", Some(setting.folder.path().join("worker.toml"))));

    let mut by_variable = setting.environment;
    by_variable.vars.push(("FFLEET_WORKER_CONFIG".into(), named.display().to_string()));
    assert_eq!(load_in::<Config>(&by_variable, &source(), &Overrides::none()).unwrap().value.id, "named");

    by_variable.vars[0].1 = "/nonexistent.toml".into();
    let by_flag = Source { flag: Some(named), ..source() };
    assert_eq!(load_in::<Config>(&by_variable, &by_flag, &Overrides::none()).unwrap().value.id, "named");

    let missing = load_in::<Config>(&by_variable, &source(), &Overrides::none()).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent.toml (FFLEET_WORKER_CONFIG)"), "{missing}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, vars, said) in [
        ("id = 'a'\nslotz = 1", &[][..], "unknown key `slotz` in DIR/worker.toml, line 2; did you mean `slots`?"),
        (
            "id = 'a'\n\n[log]\nlevle = 'x'",
            &[],
            "unknown key `log.levle` in DIR/worker.toml, line 4; did you mean `log.level`?",
        ),
        (
            "id = 'a'",
            &[("FFLEET_WORKER_LOG__FORMATT", "x")],
            "unknown key `log.formatt` in the environment variable FFLEET_WORKER_LOG__FORMATT; did you mean `log.format`?",
        ),
        (
            "id = 'a'\nxyzzy = 1",
            &[],
            "unknown key `xyzzy` in DIR/worker.toml, line 2; known here are id, slots, log, paths, urls",
        ),
        ("slots = 1", &[], "`id` is not set; write it into DIR/worker.toml or set FFLEET_WORKER_ID"),
        ("id = 'a'\nslots = 'x'", &[], "`slots` in DIR/worker.toml, line 2: expected u32, found string \"x\""),
        (
            "id = 'a'\nslots = 1",
            &[("FFLEET_WORKER_SLOTS", "-1")],
            "`slots` in the environment variable FFLEET_WORKER_SLOTS: expected u32, found signed int `-1`",
        ),
        (
            "",
            &[("FFLEET_WORKER_ID", "7")],
            "`id` in the environment variable FFLEET_WORKER_ID: expected a string, found unsigned int `7` (text that looks like a \
             number is written in quotes: '\"7\"')",
        ),
        (
            "id = 'a'\n[log]\nformat = 'xml'",
            &[],
            "`log.format` in DIR/worker.toml, line 3: `xml` is not one of text, json",
        ),
        (
            "id = 'a'\nlog = 'mysql://u:hunter2@h'",
            &[],
            "`log` in DIR/worker.toml, line 2: expected struct Log, found string \"mysql://u:***@h\"",
        ),
        (
            "id = 'a'",
            &[("FFLEET_WORKER_LOG", "x"), ("FFLEET_WORKER_LOG__LEVEL", "x")],
            "FFLEET_WORKER_LOG__LEVEL contradicts another setting: the same key cannot be a table and a plain value",
        ),
    ] {
        assert_eq!(refusal(text, vars), said);
    }
    let broken = refusal("id = 'a'\npassword = 'hunter2", &[]);
    assert!(
        broken.starts_with("DIR/worker.toml is not valid TOML: line 2: ") && !broken.contains("hunter2"),
        "{broken}"
    );
}
