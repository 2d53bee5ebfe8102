//! `ffleet-coordinator --check-config`

use ffleet_coordinator::config::Config;

use super::Failure;
use crate::cli::Settings;

/// Prints the effective configuration.
pub fn run(settings: &Settings) -> Result<(), Failure> {
    let loaded = Config::load(settings.config.clone(), &settings.overrides())?;
    match &loaded.path {
        Some(path) => println!("# from {}", path.display()),
        None => println!("# no configuration file; defaults, environment and flags only"),
    }
    print!("{}", loaded.value.show()?);
    Ok(())
}
