//! `ffleet config check`

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use ffleet_client::{Api, ApiError, RetryOptions};
use ffleet_protocol::{job::JobFilter, problem::Code, state::Role};
use serde::Serialize;

use crate::{
    cli::Global,
    config::{self, Config},
    exit,
    output::{Look, Output, Paint, Text},
};

/// Check the configuration.
#[derive(Debug, Subcommand)]
pub enum Command {
    Check(Args),
}

/// Show the effective configuration and try each coordinator
///
/// Says which file was read, whether each coordinator answers, what the key may do, and how far the clocks are apart.
/// Warns of directories that do not exist. Ends with 125 unless all coordinators work.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Everything that was found out.
#[derive(Debug, Serialize)]
struct Report {
    /// The configuration file, if there is one.
    file: Option<PathBuf>,
    /// The effective configuration.
    config: Config,
    /// What is wrong with it.
    problems: Vec<String>,
    /// What may be meant so, and yet is unusual.
    warnings: Vec<String>,
    /// Each address, tried.
    coordinators: Vec<Tried>,
}

/// One coordinator, tried.
#[derive(Debug, Serialize)]
struct Tried {
    url: String,
    works: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// How far its clock is ahead of ours, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_offset_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Runs the command.
pub async fn run(global: &Global, out: &Output) -> anyhow::Result<u8> {
    let loaded = config::load(global)?;
    let config = loaded.value;
    let mut problems = Vec::new();
    if let Err(error) = config.path_map() {
        problems.push(format!("{error:#}"));
    }
    let coordinators = match config.urls().and_then(|urls| config.api().map(|_| urls)) {
        Ok(urls) => {
            let mut tried = Vec::new();
            for url in urls {
                let api = config.api_at(vec![url.clone()])?;
                tried.push(attempt(url.as_str().trim_end_matches('/').to_owned(), &api).await);
            }
            tried
        }
        Err(error) => {
            problems.push(format!("{error:#}"));
            Vec::new()
        }
    };
    let warnings = missing(&config);
    let report = Report { file: loaded.path, config, problems, warnings, coordinators };
    out.show(&report)?;
    Ok(if report.works() { 0 } else { exit::OURS })
}

/// Files that only workers see may be meant, so this is no problem.
fn missing(config: &Config) -> Vec<String> {
    let missing = config.paths.iter().filter(|(_, path)| path.is_absolute() && !path.is_dir());
    missing.map(|(name, path)| format!("paths.{name}: there is no directory {} here", path.display())).collect()
}

async fn attempt(url: String, api: &Api) -> Tried {
    let api = api.with_retry(RetryOptions { deadline: Duration::ZERO, try_timeout: Duration::from_secs(10) });
    let found = async {
        let role = role(&api).await?;
        Ok::<_, ApiError>((role, api.status().await?.version))
    };
    let found = found.await;
    let clock_offset_s = api.clock_offset_s();
    match found {
        Ok((role, version)) => {
            let problem = match role {
                Role::Client | Role::Admin => None,
                Role::Worker => Some(
                    "the key is a worker's, and workers may not submit jobs; use a client's key (--key-file FILE)"
                        .to_owned(),
                ),
            };
            Tried { url, works: problem.is_none(), role: Some(role), clock_offset_s, version: Some(version), problem }
        }
        Err(error) => {
            let problem = match &error {
                // The address is named already.
                ApiError::Unreachable { attempts } => {
                    attempts.iter().map(|tried| tried.cause.clone()).collect::<Vec<_>>().join("; ")
                }
                ApiError::Problem(problem) => format!("{}: {error}", problem.code),
                ApiError::Protocol { .. } | ApiError::Interrupted { .. } | ApiError::Setup(_) => error.to_string(),
            };
            Tried { url, works: false, role: None, clock_offset_s, version: None, problem: Some(problem) }
        }
    }
}

/// The role of our account, by what it may ask.
async fn role(api: &Api) -> Result<Role, ApiError> {
    match api.accounts().await {
        Ok(_) => return Ok(Role::Admin),
        Err(error) if error.is(Code::WrongRole) => {}
        Err(error) => return Err(error),
    }
    match api.jobs(&JobFilter { limit: Some(1), ..JobFilter::default() }).await {
        Ok(_) => Ok(Role::Client),
        Err(error) if error.is(Code::WrongRole) => Ok(Role::Worker),
        Err(error) => Err(error),
    }
}

impl Report {
    fn works(&self) -> bool {
        self.problems.is_empty() && !self.coordinators.is_empty() && self.coordinators.iter().all(|tried| tried.works)
    }
}

impl Text for Report {
    fn text(&self, look: Look) -> String {
        let file = self.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
        let mut text = format!("configuration: {file}\n\n");
        match ffleet_settings::show(&self.config, &[]) {
            Ok(shown) => text.push_str(shown.trim_end()),
            Err(error) => text.push_str(&error.to_string()),
        }
        for problem in &self.problems {
            text.push_str(&format!("\n\n{}: {problem}", look.paint(Paint::Bad, "problem")));
        }
        for warning in &self.warnings {
            text.push_str(&format!("\n\n{}: {warning}", look.paint(Paint::Busy, "warning")));
        }
        for tried in &self.coordinators {
            text.push_str(&format!("\n\n{}: {}", tried.url, tried.text(look)));
        }
        text
    }
}

impl Text for Tried {
    fn text(&self, look: Look) -> String {
        let mut parts = match &self.problem {
            None => vec![look.paint(Paint::Good, "works")],
            Some(problem) => vec![format!("{}: {problem}", look.paint(Paint::Bad, "does not work"))],
        };
        if let Some(role) = self.role.filter(|_| self.problem.is_none()) {
            parts.push(format!("the key's role is {role}"));
        }
        if let Some(version) = &self.version {
            parts.push(format!("version {version}"));
        }
        match self.clock_offset_s {
            Some(offset) if offset.abs() <= 1 => parts.push("its clock agrees with ours".to_owned()),
            Some(offset) if offset > 0 => parts.push(format!("its clock is {offset} s ahead of ours")),
            Some(offset) => parts.push(format!("its clock is {} s behind ours", -offset)),
            None => {}
        }
        parts.join(", ")
    }
}
