//! `ffleet-coordinator init`

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use ffleet_coordinator::auth::master_key;
use ffleet_settings::write_secret_file;

use super::Failure;

/// Makes what a new installation needs: a master key that only this user can read, and a commented configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder for master.key, coordinator.toml and the database; made, for this user alone, if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Makes the files. What exists stays as it is: a lost master key loses the keys of all accounts.
pub fn run(args: &Args) -> Result<(), Failure> {
    let at = |path: &Path, error: &std::io::Error| Failure::Failed(format!("cannot write {}: {error}", path.display()));
    make_private(&args.dir).map_err(|error| at(&args.dir, &error))?;
    let dir = args.dir.canonicalize().map_err(|error| at(&args.dir, &error))?;

    let key = dir.join("master.key");
    told(&key, write_secret_file(&key, &master_key::generate()))?;
    let config = dir.join("coordinator.toml");
    told(&config, write_new(&config, &commented(&dir)))?;

    println!();
    println!("Keep {} safe: without it, nobody's key works any more.", key.display());
    println!("Next: ffleet-coordinator --config {} account add root --role admin --out root.key", config.display());
    Ok(())
}

/// Makes the folder for this user alone, and those above it as usual. One that is there stays as it is.
fn make_private(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        std::fs::create_dir_all(above)?;
    }
    DirBuilder::new().mode(0o700).create(dir)
}

fn told(path: &Path, written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Ok(()) => println!("made   {}", path.display()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => println!("exists {} (left as it is)", path.display()),
        Err(error) => return Err(Failure::Failed(format!("cannot write {}: {error}", path.display()))),
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// The template with this folder in its places. TOML's own writer quotes: a folder may be called anything.
fn commented(dir: &Path) -> String {
    let quoted = |text: String| toml::Value::String(text).to_string();
    TEMPLATE
        .replace("{database}", &quoted(format!("sqlite://{}", dir.join("ffleet.db").display())))
        .replace("{master_key}", &quoted(dir.join("master.key").display().to_string()))
}

/// Everything that can be configured; what is commented out is the default. A test holds this against the structs.
const TEMPLATE: &str = include_str!("coordinator.toml");

#[cfg(test)]
mod tests {
    use ffleet_coordinator::config::Config;
    use ffleet_settings::{Environment, Overrides};

    use super::*;

    fn load(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("coordinator.toml");
        std::fs::write(&file, text).unwrap();
        Config::load_in(&Environment::default(), Some(file), &Overrides::none()).unwrap().value
    }

    #[test]
    fn the_template_names_the_folder_whatever_it_is_called() {
        let config = load(&commented(Path::new("/srv/my \"farm\" \\ x")));
        assert_eq!(config.database.url, "sqlite:///srv/my \"farm\" \\ x/ffleet.db");
        assert_eq!(config.master_key.file, Path::new("/srv/my \"farm\" \\ x/master.key"));
    }

    #[test]
    fn what_is_commented_out_is_every_default() {
        let text = commented(Path::new("/x"));
        let uncommented: String = text
            .lines()
            .map(|line| {
                line.strip_prefix('#').filter(|rest| rest.contains(" = ") && !rest.starts_with(' ')).unwrap_or(line)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let mut expected = Config::default();
        expected.database.url = "sqlite:///x/ffleet.db".to_owned();
        expected.master_key.file = "/x/master.key".into();
        assert_eq!(load(&uncommented), expected);
        let keys = |text: &str| {
            let keys = text.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()));
            keys.filter(|key| !key.starts_with('#')).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(keys(&uncommented), keys(&expected.show().unwrap()), "the template lacks a key");
    }
}
