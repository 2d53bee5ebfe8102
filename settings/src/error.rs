//! What can be wrong with a configuration, in words for the person who wrote it.

use std::path::PathBuf;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file that was asked for is not there or cannot be read.
    #[error("cannot read the configuration file {} ({asked_by}): {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Who named it, such as `--config`.
        asked_by: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML: {detail}", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        detail: String,
    },
    /// A key that nobody knows.
    #[error("unknown key `{key}` in {origin}; {hint}")]
    UnknownKey {
        /// The key with its sections, such as `timing.leese_s`.
        key: String,
        /// The file with the line, the variable, or the flag.
        origin: String,
        /// The nearest known key, or all of them.
        hint: String,
    },
    /// A value that does not fit its key.
    #[error("`{key}` in {origin}: {detail}")]
    BadValue {
        /// The key with its sections.
        key: String,
        /// The file with the line, the variable, or the flag.
        origin: String,
        /// What is wrong.
        detail: String,
    },
    /// A key without which the program cannot run.
    #[error("`{key}` is not set; write it into {file} or set {variable}")]
    Missing {
        /// The key with its sections.
        key: String,
        /// The file in use, or where one is looked for.
        file: String,
        /// The variable for it.
        variable: String,
    },
    /// Two environment variables, or two flags, that exclude each other.
    #[error("{variable} contradicts another setting: the same key cannot be a table and a plain value")]
    Clash {
        /// One of the two.
        variable: String,
    },
    /// Values that are each well-formed but make no sense together; made by the programs' own checks.
    #[error("the configuration ({}environment and flags) cannot work:{}", file(path.as_ref()), list(problems))]
    Invalid {
        /// The file in use; a value may come from the environment or a flag all the same.
        path: Option<PathBuf>,
        /// One sentence for each problem.
        problems: Vec<String>,
    },
    /// The effective configuration could not be written as TOML.
    #[error("the configuration cannot be shown: {0}")]
    CannotShow(String),
}

fn file(path: Option<&PathBuf>) -> String {
    path.map(|path| format!("file {}, ", path.display())).unwrap_or_default()
}

fn list(problems: &[String]) -> String {
    match problems {
        [one] => format!(" {one}"),
        many => many.iter().map(|problem| format!("\n  - {problem}")).collect(),
    }
}
