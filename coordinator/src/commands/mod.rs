//! A command a file: its arguments, their help, and what it does.

pub mod account;
pub mod check;
pub mod check_database;
pub mod export;
pub mod import;
pub mod init;
pub mod migrate;
mod progress;
pub mod serve;

use std::process::ExitCode;

use ffleet_coordinator::{
    auth::{InstallationError, MasterKeyError},
    config::Config,
    ops::OpError,
    store::transfer::TransferError,
};
use ffleet_settings::SettingsError;
use serde::Serialize;

use crate::cli::Settings;

/// Why a command did not do what it was asked; decides the exit code, in one place.
#[derive(Debug)]
pub enum Failure {
    /// The configuration or a key file is wrong.
    Wrong(String),
    /// The operation was refused.
    Refused(String),
    /// Anything else.
    Failed(String),
}

impl Failure {
    /// As documented in the help.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Wrong(_) => 2,
            Self::Refused(_) => 3,
        })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Wrong(text) | Self::Refused(text) | Self::Failed(text)) = self;
        f.write_str(text)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        // With all its causes: whoever reads this has no other log.
        let text = format!("{error:#}");
        // A database that does not answer may do so the next time; another master key does not become the right one.
        let other_key = matches!(error.downcast_ref(), Some(InstallationError::OtherMasterKey { .. }));
        if error.is::<MasterKeyError>() || other_key { Self::Wrong(text) } else { Self::Failed(text) }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Refused(refused) => Self::Refused(refused.detail),
            OpError::Unavailable(detail) => Self::Failed(detail),
            OpError::Internal(cause) => Self::Failed(format!("{cause:#}")),
        }
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Refused(detail) => Self::Refused(detail),
            other => anyhow::Error::from(other).into(),
        }
    }
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Printing {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Failed(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// The configuration of this process.
fn configured(settings: &Settings) -> Result<Config, Failure> {
    Ok(Config::load(settings.config.clone(), &settings.overrides())?.value)
}
