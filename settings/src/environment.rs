//! What the process was given besides flags: variables, and folders where configuration may lie.

use std::path::PathBuf;

use figment::value::{Dict, Value};

use crate::SettingsError;

/// Prefixes of the programs, so that the shorter one of the client does not swallow the variables of the other two.
const PROGRAMS: [&str; 2] = ["FFLEET_COORDINATOR_", "FFLEET_WORKER_"];

/// The environment of a process as far as configuration goes; tests build their own.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Variables and their values.
    pub vars: Vec<(String, String)>,
    /// Folders searched for the configuration file, first hit wins.
    pub folders: Vec<PathBuf>,
}

impl Environment {
    /// That of this process: its variables; the working directory, the user's and the system's `ffleet` folder.
    #[must_use]
    pub fn of_process() -> Self {
        let vars =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let user = directories::BaseDirs::new().map(|dirs| dirs.config_dir().join("ffleet"));
        let folders = [Some(PathBuf::from(".")), user, Some(PathBuf::from("/etc/ffleet"))];
        Self { vars: vars.collect(), folders: folders.into_iter().flatten().collect() }
    }

    /// The value of one variable; an empty one counts as absent.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The variables under `prefix` that are configuration, as (variable, path of keys, value).
    pub(crate) fn settings<'a>(
        &'a self,
        prefix: &'a str,
        config_var: &'a str,
    ) -> impl Iterator<Item = (&'a str, Vec<String>, &'a str)> {
        self.vars.iter().filter_map(move |(name, value)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            let of_another = PROGRAMS.iter().any(|other| other.len() > prefix.len() && name.starts_with(other));
            if of_another || name == config_var || is_service_link(rest, value) {
                return None;
            }
            Some((name.as_str(), rest.split("__").map(key).collect(), value.as_str()))
        })
    }

    /// The same, as nested tables.
    pub(crate) fn table(&self, prefix: &str, config_var: &str) -> Result<Dict, SettingsError> {
        let mut table = Dict::new();
        for (name, path, value) in self.settings(prefix, config_var) {
            // Parsing cannot fail: what is no TOML value is text.
            let value = value.parse::<Value>().unwrap_or_else(|never| match never {});
            if !insert(&mut table, &path, value) {
                return Err(SettingsError::Clash { variable: name.to_owned() });
            }
        }
        Ok(table)
    }
}

/// Capitals are the custom of environment variables; names that people chose keep their case when it is visible.
fn key(part: &str) -> String {
    if part.chars().any(|c| c.is_ascii_lowercase()) { part.to_owned() } else { part.to_ascii_lowercase() }
}

/// Kubernetes gives every container variables about each service beside it; for one called `ffleet-coordinator` they begin
/// like ours, and refusing them would refuse to start there.
fn is_service_link(rest: &str, value: &str) -> bool {
    let port = |text: &str| {
        value.starts_with("tcp://") || value.starts_with("udp://") || text.contains("_TCP") || text.contains("_UDP")
    };
    rest == "SERVICE_HOST" || rest.starts_with("SERVICE_PORT") || (rest.starts_with("PORT") && port(rest))
}

/// Puts `value` at `path`; false if a table and a plain value meet there.
pub(crate) fn insert(table: &mut Dict, path: &[String], value: Value) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        let clash = matches!((table.get(first), &value), (Some(Value::Dict(..)), _));
        table.insert(first.clone(), value);
        return !clash;
    }
    match table.entry(first.clone()).or_insert_with(|| Value::from(Dict::new())) {
        Value::Dict(_, inner) => insert(inner, rest, value),
        Value::String(..)
        | Value::Char(..)
        | Value::Bool(..)
        | Value::Num(..)
        | Value::Empty(..)
        | Value::Array(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: &str, config_var: &str, vars: &[(&str, &str)]) -> Vec<String> {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment { vars, folders: Vec::new() };
        environment.settings(prefix, config_var).map(|(_, path, _)| path.join(".")).collect()
    }

    #[test]
    fn the_clients_prefix_leaves_the_others_alone() {
        let vars = [
            ("FFLEET_CONFIG", "x.toml"),
            ("FFLEET_COORDINATORS", "[]"),
            ("FFLEET_COORDINATOR_LISTEN", "x"),
            ("FFLEET_WORKER_ID", "x"),
            ("FFLEET_PATHS__Media", "/m"),
            ("FFLEET_", ""),
            ("PATH", "/bin"),
        ];
        assert_eq!(names("FFLEET_", "FFLEET_CONFIG", &vars), ["coordinators", "paths.Media"]);
        assert_eq!(names("FFLEET_WORKER_", "FFLEET_WORKER_CONFIG", &vars), ["id"]);
    }

    #[test]
    fn service_links_are_not_configuration() {
        let vars = [
            ("FFLEET_COORDINATOR_SERVICE_HOST", "10.0.0.1"),
            ("FFLEET_COORDINATOR_SERVICE_PORT_HTTP", "8461"),
            ("FFLEET_COORDINATOR_PORT", "tcp://10.0.0.1:8461"),
            ("FFLEET_COORDINATOR_PORT_8461_TCP_ADDR", "10.0.0.1"),
            ("FFLEET_COORDINATOR_LISTEN", "0.0.0.0:1"),
        ];
        assert_eq!(names("FFLEET_COORDINATOR_", "FFLEET_COORDINATOR_CONFIG", &vars), ["listen"]);
    }
}
