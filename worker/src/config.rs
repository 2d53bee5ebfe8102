//! The worker's configuration: the struct is the manual.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use ffleet_client::KeyError;
use ffleet_nudges::Notify;
use ffleet_protocol::{id::WorkerId, sign::KeyFile, template::Variable};
use ffleet_settings::{Loaded, Overrides, SecretReaders, SettingsError, Source};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{ffmpeg, mounts::Root};

/// `worker.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The worker's name; the machine's unless set. Bound to the account that registers it first.
    #[serde(default = "machine_name")]
    pub id: WorkerId,
    /// Addresses of one installation's coordinators, in order of preference.
    pub coordinators: Vec<Url>,
    /// The account's key: one line, `KEYID:SECRET`.
    pub key_file: PathBuf,
    /// Take a key file that others than its owner can read: for mounts on which its mode cannot be chosen.
    #[serde(default)]
    pub allow_open_files: bool,
    /// Certificates (PEM) to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Tasks run at once; a quarter of the processors unless set.
    #[serde(default = "default_slots")]
    pub slots: NonZeroU32,
    /// Words that jobs may ask for.
    #[serde(default)]
    pub tags: BTreeSet<String>,
    /// Where the worker keeps what it must still know after a restart. Each worker needs its own.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// Path variables: `Media = "/srv/media"`, or `Media = { path = "/srv/media", writable = false, mount = true }`.
    #[serde(default)]
    pub paths: BTreeMap<Variable, Root>,
    /// Programs by name. `ffmpeg` and `ffprobe` are looked for in `PATH` unless set; `""` takes one away.
    #[serde(default)]
    pub programs: BTreeMap<String, PathBuf>,
    /// Variables that programs get besides `PATH`, `HOME`, `USER`, `LOGNAME`, `LANG`, `LC_ALL`, `LC_CTYPE`, `TZ`, `TMPDIR`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Output that waits for a coordinator.
    #[serde(default)]
    pub spool: SpoolConfig,
    /// How long stopped programs are given.
    #[serde(default)]
    pub stop: StopConfig,
    /// Seconds between looks at programs and path variables.
    #[serde(default = "sixty")]
    pub prove_s: u64,
    /// Brokers that bring nudges.
    #[serde(default)]
    pub notify: Notify,
    /// What the worker tells about itself.
    #[serde(default)]
    pub log: LogConfig,
}

/// Output that waits for a coordinator.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// Bytes in memory, per task.
    pub memory_bytes: usize,
    /// Bytes on disk, for all tasks together. What does not fit is declared lost.
    pub disk_bytes: u64,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self { memory_bytes: 4 * 1024 * 1024, disk_bytes: 256 * 1024 * 1024 }
    }
}

/// How long stopped programs are given, in seconds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StopConfig {
    /// After FFmpeg's `q`.
    pub quit_s: u64,
    /// After SIGTERM, when somebody asked politely.
    pub terminate_s: u64,
    /// After SIGTERM, when the lease is ending or the worker is told to go at once.
    pub forced_s: u64,
}

impl Default for StopConfig {
    fn default() -> Self {
        Self { quit_s: 5, terminate_s: 5, forced_s: 2 }
    }
}

/// What the worker tells about itself, on standard error.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// For people or for programs.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,ffleet_client=debug`.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Config {
    /// Reads file, environment and flags.
    pub fn load(file: Option<PathBuf>, overrides: &Overrides) -> Result<Self, SettingsError> {
        let source = Source {
            flag: file,
            env_var: "FFLEET_WORKER_CONFIG",
            file_name: "worker.toml",
            env_prefix: "FFLEET_WORKER_",
        };
        let Loaded { mut value, path } = ffleet_settings::load::<Self>(&source, overrides)?;
        // What stands in a file is meant from where the file is, not from where the worker happens to be started.
        if let Some(folder) = path.as_deref().and_then(Path::parent) {
            let files = [Some(&mut value.key_file), Some(&mut value.state_dir), value.ca_file.as_mut()];
            files.into_iter().flatten().chain(value.notify.files()).for_each(|file| *file = folder.join(&*file));
        }
        let problems = value.problems();
        if problems.is_empty() { Ok(value) } else { Err(SettingsError::Invalid { path, problems }) }
    }

    /// What is well-formed and makes no sense all the same.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.coordinators.is_empty() {
            problems.push("`coordinators` is empty; give at least one address".to_owned());
        }
        for url in &self.coordinators {
            if !matches!(url.scheme(), "http" | "https") {
                problems.push(format!("`coordinators` has {url}, which is neither http nor https"));
            }
        }
        for (name, root) in &self.paths {
            if !root.path.is_absolute() {
                problems.push(format!("`paths.{name}` is {}, which is not an absolute path", root.path.display()));
            }
        }
        problems.extend(self.notify.problems());
        if self.prove_s == 0 {
            problems.push("`prove_s` is 0; give at least 1".to_owned());
        }
        if tracing_subscriber::EnvFilter::try_new(&self.log.level).is_err() {
            problems.push(format!("`log.level` is {:?}, which is no level and no list of directives", self.log.level));
        }
        problems
    }

    /// The effective configuration for people, secrets masked.
    pub fn show(&self) -> Result<String, SettingsError> {
        // Values of variables for programs may be anything, tokens included.
        let mut shown = self.clone();
        shown.environment.values_mut().for_each(|value| *value = "***".to_owned());
        shown.programs = self.programs();
        ffleet_settings::show(&shown, &[])
    }

    /// Programs by name, where they lie; names without a slash have been looked up in `PATH`.
    #[must_use]
    pub fn programs(&self) -> BTreeMap<String, PathBuf> {
        let usual = [ffmpeg::FFMPEG, ffmpeg::FFPROBE].map(|name| (name.to_owned(), PathBuf::from(name)));
        let mut all = BTreeMap::from(usual);
        all.extend(self.programs.iter().map(|(name, file)| (name.clone(), file.clone())));
        all.retain(|_, file| !file.as_os_str().is_empty());
        for file in all.values_mut() {
            if !file.as_os_str().as_encoded_bytes().contains(&b'/') {
                *file = in_path(file).unwrap_or_else(|| file.clone());
            }
        }
        all
    }

    /// Reads the account's key.
    ///
    /// # Errors
    /// When the file cannot be read, others can read it although they must not, or it holds no key.
    pub fn key(&self) -> Result<KeyFile, KeyError> {
        ffleet_client::load_key_of(&self.key_file, self.readers())
    }

    /// Who may be able to read files with secrets.
    #[must_use]
    pub fn readers(&self) -> SecretReaders {
        if self.allow_open_files { SecretReaders::Anyone } else { SecretReaders::OwnerOnly }
    }

    /// Between looks at programs and path variables.
    #[must_use]
    pub fn prove_every(&self) -> Duration {
        Duration::from_secs(self.prove_s)
    }
}

/// The first executable file of this name in `PATH`.
fn in_path(name: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs =
        |file: &Path| fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| runs(file))
}

fn machine_name() -> WorkerId {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = name.trim().chars().map(good).skip_while(|c| !c.is_ascii_alphanumeric()).take(64).collect();
    // A machine without a usable name gets one that is the same at the next start.
    WorkerId::new(name).unwrap_or_else(|_| fallback_name())
}

fn fallback_name() -> WorkerId {
    #[expect(clippy::expect_used, reason = "a constant of the right shape")]
    WorkerId::new("worker").expect("a good name")
}

fn default_slots() -> NonZeroU32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores / 4).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

/// systemd's, else the user's own, else the system's.
fn default_state_dir() -> PathBuf {
    if let Some(given) = env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty())
        && let Some(first) = env::split_paths(&given).next()
    {
        return first;
    }
    let system = || PathBuf::from("/var/lib/ffleet-worker");
    if nix::unistd::Uid::effective().is_root() {
        return system();
    }
    directories::BaseDirs::new()
        .map_or_else(system, |dirs| dirs.state_dir().unwrap_or(dirs.data_local_dir()).join("ffleet-worker"))
}

fn sixty() -> u64 {
    60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("worker.toml");
        fs::write(&file, text).unwrap();
        Config::load(Some(file), &Overrides::none())
    }

    const LEAST: &str = "coordinators = [\"http://127.0.0.1:8461\"]\nkey_file = \"/k\"\n";

    #[test]
    fn little_is_needed() {
        let config = load(LEAST).unwrap();
        assert!(config.slots.get() >= 1 && config.paths.is_empty());
        assert_eq!((config.stop.quit_s, config.stop.terminate_s, config.stop.forced_s), (5, 5, 2));
        assert_eq!(config.prove_every(), Duration::from_secs(60));
        assert_eq!(config.key_file, Path::new("/k"));
        assert!(config.programs().keys().eq(["ffmpeg", "ffprobe"]));
    }

    #[test]
    fn relative_files_lie_beside_the_configuration() {
        let config = load(&format!("{}state_dir = \"state\"\n", LEAST.replace("/k", "box.key"))).unwrap();
        assert!(config.key_file.is_absolute() && config.key_file.ends_with("box.key"), "{:?}", config.key_file);
        assert_eq!(config.state_dir, config.key_file.with_file_name("state"));
        let broker =
            format!("{LEAST}[notify.mqtt]\nurls = [\"mqtts://box1@broker\"]\npassword_file = \"mqtt.password\"\n");
        let password = load(&broker).unwrap().notify.mqtt.unwrap().password_file.unwrap();
        assert!(password.is_absolute() && password.ends_with("mqtt.password"), "{password:?}");
    }

    #[test]
    fn paths_are_written_short_or_long() {
        let text = format!(
            "{LEAST}id = \"box\"\n[paths]\nMedia = \"/srv/m\"\nOld = {{ path = \"/mnt/old\", writable = false, mount = true }}\n\
             [programs]\nffprobe = \"\"\nff7 = \"/opt/ff7/bin/ffmpeg\"\n[environment]\nAPI_TOKEN = \"hunter2\"\n"
        );
        let config = load(&text).unwrap();
        let root = |name: &str| config.paths[&Variable::new(name).unwrap()].clone();
        assert_eq!(root("Media"), Root { path: "/srv/m".into(), writable: None, mount: false });
        assert_eq!(root("Old"), Root { path: "/mnt/old".into(), writable: Some(false), mount: true });
        assert!(config.programs().keys().eq(["ff7", "ffmpeg"]));
        let shown = config.show().unwrap();
        assert!(shown.contains("/mnt/old") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, said) in [
            ("coordinators = []\nkey_file = \"/k\"\n".to_owned(), "give at least one address"),
            ("coordinators = [\"ftp://x\"]\nkey_file = \"/k\"\n".to_owned(), "neither http nor https"),
            (format!("{LEAST}slotz = 3\n"), "slots"),
            (format!("{LEAST}slots = 0\n"), "slots"),
            (format!("{LEAST}[paths]\nMedia = \"m\"\n"), "not an absolute path"),
            (format!("{LEAST}[paths]\nMedia = {{ path = \"/m\", writeable = true }}\n"), "Media"),
            (format!("{LEAST}[notify.amqp]\nurls = [\"mqtt://box\"]\n"), "amqp://USER@HOST"),
            (format!("{LEAST}[notify.amqp]\nurl = \"amqp://box\"\n"), "url"),
            (format!("{LEAST}[log]\nlevel = \"=x=\"\n"), "log.level"),
            (LEAST.replace("key_file = \"/k\"\n", ""), "key_file"),
        ] {
            let error = load(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
