//! The manual holds what it says.

use ffleet_settings::{Environment, Overrides};

use super::{Config, LogFormat};

fn load(text: &str, vars: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coordinator.toml");
    std::fs::write(&file, text).unwrap();
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let environment = Environment { vars, folders: Vec::new() };
    Config::load_in(&environment, Some(file), &Overrides::none())
        .map(|loaded| loaded.value)
        .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"))
}

#[test]
fn the_defaults_work() {
    assert_eq!(load("", &[]), Ok(Config::default()));
    assert_eq!(Config::default().machine_networks.len(), 8);
}

#[test]
fn what_is_shown_can_be_read_again() {
    let mut config = Config { public_names: vec!["a:1".into()], ..Config::default() };
    config.tls = Some(super::Tls { certificate: "c.pem".into(), key: "k.pem".into() });
    config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let shown = config.show().unwrap();
    assert_eq!(load(&shown, &[]), Ok(config), "{shown}");
}

#[test]
fn passwords_are_not_shown() {
    let mut config = Config::default();
    config.database.url = "mysql://ffleet:hunter2@db/ffleet".to_owned();
    let shown = config.show().unwrap();
    assert!(shown.contains("mysql://ffleet:***@db/ffleet") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let vars = [
        ("FFLEET_COORDINATOR_LISTEN", "0.0.0.0:1"),
        ("FFLEET_COORDINATOR_LOG__FORMAT", "json"),
        ("FFLEET_COORDINATOR_LIMITS__PROGRAMS", r#"["ffmpeg"]"#),
        ("FFLEET_COORDINATOR_CONFIG", "/ignored/because/of/the/flag"),
    ];
    let config = load("listen = '127.0.0.1:2'\n[log]\nlevel = 'debug'\n[timing]\nlease_s = 60", &vars).unwrap();
    assert_eq!((config.listen.as_str(), config.log.format), ("0.0.0.0:1", LogFormat::Json));
    assert_eq!((config.log.level.as_str(), config.timing.lease_s), ("debug", 60));
    assert_eq!(config.limits.programs.into_iter().collect::<Vec<_>>(), ["ffmpeg"]);
}

#[test]
fn misspelt_keys_are_named() {
    for (text, said) in [
        ("lisen = 'x'", "unknown key `lisen` in DIR/coordinator.toml, line 1; did you mean `listen`?"),
        (
            "[timing]\nlease = 1",
            "unknown key `timing.lease` in DIR/coordinator.toml, line 2; did you mean `timing.lease_s`?",
        ),
        (
            "[retention]\n\nfailed_dayz=1",
            "unknown key `retention.failed_dayz` in DIR/coordinator.toml, line 3; did you mean `retention.failed_days`?",
        ),
        (
            "[tls]\ncertificate = 'x'",
            "`tls.key` is not set; write it into DIR/coordinator.toml or set FFLEET_COORDINATOR_TLS__KEY",
        ),
    ] {
        assert_eq!(load(text, &[]), Err(said.to_owned()));
    }
    let by_variable = load("", &[("FFLEET_COORDINATOR_TIMING__SWEEPS_S", "1")]).unwrap_err();
    assert!(by_variable.contains("FFLEET_COORDINATOR_TIMING__SWEEPS_S"), "{by_variable}");
    assert!(by_variable.contains("did you mean `timing.sweep_s`?"), "{by_variable}");
}

#[test]
fn what_cannot_work_is_refused_with_the_arithmetic() {
    for (text, said) in [
        ("[timing]\nlease_s = 30", "28 + 2 = 30 is not less than 30"),
        ("[timing]\ngive_up_s = 33", "33 + 2 = 35 is not less than 35"),
        ("[timing]\nforced_stop_s = 8", "28 + 8 = 36 is not less than 35"),
        ("[timing]\nheartbeat_s = 15", "28 is less than 2 × 15 = 30"),
        ("[timing]\nheartbeat_s = 7", "15 is less than 2.5 × 7 = 17.5"),
        ("[timing]\nheartbeat_s = 0", "`timing.heartbeat_s` = 0 must be at least 1"),
        ("[timing]\nlease_s = 9223372036854775807", "at most 86400 seconds"),
        ("[timing]\nlease_s = 100000", "at most 86400 seconds"),
        ("[timing]\nlong_poll_s = 26", "`timing.long_poll_s` = 26 must be at most 25"),
        ("[timing]\nclient_gone_s = 5", "`timing.client_gone_s` = 5 must be at least 10"),
        ("[timing]\nlinger_s = 301", "`timing.linger_s` = 301 must be at most 300"),
        ("listen = '8461'", "`listen` = \"8461\" is no address with a port"),
        ("listen = ':8461'", "is no address with a port"),
        ("public_names = ['https://x/']", "`public_names` has \"https://x/\""),
        ("public_base_path = 'x/'", "`public_base_path` = \"x/\""),
        ("trusted_proxies = ['10.0.0.0/33']", "`trusted_proxies.0` in DIR/coordinator.toml, line 1"),
        ("[database]\nurl = 'oracle://a:hunter2@c/d'", "`database.url` (\"oracle\") names no database"),
        ("[database]\nurl = 'sqlite::memory:'", "expected sqlite:///path/to/ffleet.db"),
        ("[log]\nlevel = 'a=b=c'", "`log.level` = \"a=b=c\" is not understood"),
        ("[limits]\nprograms = []", "`limits.programs` is empty"),
        ("[limits]\nprograms = ['/bin/sh']", "`limits.programs` has \"/bin/sh\""),
        ("[limits]\nvariables = ['$Media']", "`limits.variables.0` in DIR/coordinator.toml, line 2"),
        ("[limits]\ncrash_limit = 0", "`limits.crash_limit` = 0"),
        ("[limits]\nlog_cap_bytes = 1", "`limits.log_cap_bytes` = 1 must be at least 65536"),
        ("[retention]\nfailed_days = 0", "`retention.failed_days` = 0"),
    ] {
        let error = load(text, &[]).unwrap_err();
        assert!(error.contains(said) && !error.contains("hunter2"), "{text}: {error}");
    }
    let both = load("[timing]\nlease_s = 30\nlong_poll_s = 26", &[]).unwrap_err();
    assert!(both.contains("28 + 2 = 30") && both.contains("`timing.long_poll_s`"), "{both}");
}

#[test]
fn a_fast_fleet_for_tests_is_allowed() {
    let text =
        "[timing]\nheartbeat_s = 1\nlease_s = 6\ngive_up_s = 4\nforced_stop_s = 1\nsweep_s = 1\nworker_silent_s = 3";
    assert!(load(text, &[]).is_ok());
}
