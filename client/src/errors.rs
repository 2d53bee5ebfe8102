//! What to do about a failure, beyond what went wrong.

use std::path::PathBuf;

use ffleet_client::ApiError;
use ffleet_protocol::problem::Code;

/// A command's failure, with what is needed to give advice.
pub struct Failure {
    /// What went wrong.
    pub error: anyhow::Error,
    /// The key that signed, once it was known.
    pub key_file: Option<PathBuf>,
    /// The configuration file, if there was one.
    pub file: Option<PathBuf>,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), key_file: None, file: None }
    }
}

/// Whatever can be advised.
#[must_use]
pub fn advice(failure: &Failure) -> Option<String> {
    let api: &ApiError = failure.error.downcast_ref()?;
    let file = |path: Option<&PathBuf>, otherwise: &str| {
        path.map_or_else(|| otherwise.to_owned(), |path| path.display().to_string())
    };
    match api {
        ApiError::Problem(problem) if problem.is(Code::Unauthorized) => {
            let key = file(failure.key_file.as_ref(), "the key file");
            Some(format!(
                "the key is the one in {key}, the request id {}; `ffleet config check` tries each coordinator",
                problem.request_id
            ))
        }
        ApiError::Problem(problem) if problem.is(Code::ClockSkew) => {
            Some("set the clock of this machine, or of the coordinator".to_owned())
        }
        ApiError::Problem(problem) if problem.is(Code::WrongRole) => {
            Some("use the key of an account with that role: --key-file FILE".to_owned())
        }
        ApiError::Problem(problem) if problem.is(Code::PathOutside) => Some(format!(
            "give the directory that holds it a name under [paths] in {}, one that the workers have too",
            file(failure.file.as_ref(), "ffleet.toml")
        )),
        ApiError::Problem(problem) if problem.is(Code::PathLeaves) => Some(format!(
            "name the file by its whole path, under a directory that has a name under [paths] in {}",
            file(failure.file.as_ref(), "ffleet.toml")
        )),
        ApiError::Problem(problem) if problem.is(Code::Internal) => {
            Some(format!("the coordinator's log says more about request {}", problem.request_id))
        }
        ApiError::Unreachable { .. } => Some(
            "check the addresses (coordinators in ffleet.toml, or --coordinator) and that a coordinator runs there"
                .to_owned(),
        ),
        ApiError::Problem(_) | ApiError::Protocol { .. } | ApiError::Interrupted { .. } | ApiError::Setup(_) => None,
    }
}
