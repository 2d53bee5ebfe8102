//! `ffleet.toml`: the struct is the manual.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use ffleet_client::{Api, Connection, PathMap, RetryOptions};
use ffleet_protocol::template::Variable;
use ffleet_settings::{Loaded, Overrides, SecretReaders, Source};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::{cli::Global, dropin::Dropin};

/// The client's configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses of one installation's coordinators, tried in turn.
    #[serde(deserialize_with = "one_or_many")]
    pub coordinators: Vec<String>,
    /// The file with the key that signs requests. A relative path counts from the configuration file's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Take a key file that others than its owner can read: for mounts on which its mode cannot be chosen.
    pub allow_open_files: bool,
    /// Certificates (PEM) to trust for https instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether `submit` cancels its job when this program dies, as with `--monitor`.
    pub monitor: bool,
    /// For how many seconds a call is repeated while no coordinator answers.
    pub deadline_s: u64,
    /// How ffleet behaves under the name of FFmpeg's programs.
    pub dropin: Dropin,
    /// Path variables: which directory of this machine each of them stands for.
    pub paths: BTreeMap<Variable, PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            coordinators: Vec::new(),
            key_file: None,
            allow_open_files: false,
            ca_file: None,
            monitor: false,
            deadline_s: 30,
            dropin: Dropin::default(),
            paths: BTreeMap::new(),
        }
    }
}

const SOURCE: Source = Source { flag: None, env_var: "FFLEET_CONFIG", file_name: "ffleet.toml", env_prefix: "FFLEET_" };

const HOW_TO: &str = "\
write them into ffleet.toml (here, or in ~/.config/ffleet/, or in /etc/ffleet/):

    coordinators = [\"http://farm.example:8461\"]
    key_file = \"/home/me/.config/ffleet/key\"

    [paths]
    Media = \"/mnt/media\"

or give --coordinator URL and --key-file FILE. An admin makes the key: ffleet-coordinator account add NAME --role client";

/// Reads file, environment and flags, in this order of strength.
pub fn load(global: &Global) -> anyhow::Result<Loaded<Config>> {
    let source = Source { flag: global.config.clone(), ..SOURCE };
    let coordinators = (!global.coordinator.is_empty()).then_some(&global.coordinator);
    let key_file = global.key_file.as_ref().map(std::path::absolute).transpose().context("--key-file")?;
    let overrides =
        Overrides::none().flag("--coordinator", "coordinators", coordinators).flag("--key-file", "key_file", key_file);
    let mut loaded = ffleet_settings::load::<Config>(&source, &overrides)?;
    let folder = loaded.path.as_deref().and_then(Path::parent).map(Path::to_owned);
    for file in [&mut loaded.value.key_file, &mut loaded.value.ca_file].into_iter().flatten() {
        *file = placed(file, folder.as_deref());
    }
    Ok(loaded)
}

impl Config {
    /// The addresses, checked.
    pub fn urls(&self) -> anyhow::Result<Vec<Url>> {
        if self.coordinators.is_empty() {
            bail!("no coordinator is configured; {HOW_TO}");
        }
        self.coordinators
            .iter()
            .map(|text| address(text).with_context(|| format!("{text:?} is not a coordinator's address")))
            .collect()
    }

    /// The file with the key.
    pub fn key_file(&self) -> anyhow::Result<&Path> {
        self.key_file.as_deref().with_context(|| format!("no key file is configured; {HOW_TO}"))
    }

    /// Prepares for talking to `urls`.
    pub fn api_at(&self, urls: Vec<Url>) -> anyhow::Result<Api> {
        let readers = if self.allow_open_files { SecretReaders::Anyone } else { SecretReaders::OwnerOnly };
        let key = ffleet_client::load_key_of(self.key_file()?, readers)?;
        let mut connection = Connection::new(urls, key);
        connection.agent = concat!("ffleet/", env!("CARGO_PKG_VERSION")).to_owned();
        connection.ca_file = self.ca_file.clone();
        connection.retry = RetryOptions { deadline: Duration::from_secs(self.deadline_s), ..RetryOptions::default() };
        Ok(Api::new(connection)?)
    }

    /// Prepares for talking to the configured coordinators.
    pub fn api(&self) -> anyhow::Result<Api> {
        self.api_at(self.urls()?)
    }

    /// What the path variables stand for here.
    pub fn path_map(&self) -> anyhow::Result<PathMap> {
        Ok(PathMap::new(self.paths.clone())?)
    }
}

fn address(text: &str) -> anyhow::Result<Url> {
    if !text.contains("://") && Url::parse(&format!("http://{text}")).is_ok() {
        bail!("write http://{text}");
    }
    Url::parse(text).context("it looks like http://farm.example:8461")
}

/// `~/x` is in the home directory, and `x` beside the configuration file.
fn placed(file: &Path, folder: Option<&Path>) -> PathBuf {
    if let (Ok(rest), Some(dirs)) = (file.strip_prefix("~"), directories::BaseDirs::new()) {
        return dirs.home_dir().join(rest);
    }
    folder.map_or_else(|| file.to_owned(), |folder| folder.join(file))
}

/// A list, or one text with commas, which is how it is written in an environment variable.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected an address or a list of addresses")]
    enum Given {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::One(text) => {
            text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
        }
        Given::Many(list) => list,
    })
}

#[cfg(test)]
mod tests {
    use ffleet_settings::Environment;

    use super::*;

    fn with(vars: &[(&str, &str)]) -> Result<Config, String> {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment { vars, folders: Vec::new() };
        ffleet_settings::load_in::<Config>(&environment, &SOURCE, &Overrides::none())
            .map(|loaded| loaded.value)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn everything_can_come_from_the_environment() {
        let config = with(&[
            ("FFLEET_COORDINATORS", "http://a:1, http://b:2"),
            ("FFLEET_KEY_FILE", "/k"),
            ("FFLEET_PATHS__Media", "/mnt/media"),
            ("FFLEET_DEADLINE_S", "5"),
        ])
        .unwrap();
        assert_eq!(config.urls().unwrap().len(), 2);
        assert_eq!(config.deadline_s, 5);
        assert_eq!(config.paths[&Variable::new("Media").unwrap()], PathBuf::from("/mnt/media"));
        assert_eq!(with(&[("FFLEET_COORDINATORS", "[\"http://a:1\"]")]).unwrap().coordinators, ["http://a:1"]);
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_neighbour() {
        let error = with(&[("FFLEET_COORDINATER", "x")]).unwrap_err();
        assert!(error.contains("coordinater") && error.contains("coordinators"), "{error}");
    }

    #[test]
    fn addresses_without_their_scheme_are_completed() {
        for (given, words) in [
            ("127.0.0.1:8461", "\"127.0.0.1:8461\" is not a coordinator's address: write http://127.0.0.1:8461"),
            ("farm:8461", "\"farm:8461\" is not a coordinator's address: write http://farm:8461"),
            (
                "http://farm:none",
                "\"http://farm:none\" is not a coordinator's address: it looks like http://farm.example:8461: \
                 invalid port number",
            ),
        ] {
            let config = Config { coordinators: vec![given.to_owned()], ..Config::default() };
            assert_eq!(format!("{:#}", config.urls().unwrap_err()), words);
        }
    }

    #[test]
    fn relative_files_lie_beside_the_configuration() {
        assert_eq!(placed(Path::new("key"), Some(Path::new("/etc/ffleet"))), Path::new("/etc/ffleet/key"));
        assert_eq!(placed(Path::new("/k"), Some(Path::new("/etc/ffleet"))), Path::new("/k"));
        assert!(placed(Path::new("~/k"), None).is_absolute());
    }
}
