//! What to do about a failure, beyond what went wrong.

use std::path::Path;

use ffleet_client::ApiError;
use ffleet_protocol::problem::Code;

/// A command's failure, with what is needed to give advice.
pub struct Failure {
    /// What went wrong.
    pub error: anyhow::Error,
    /// The key that signed, once it was known.
    pub key_file: Option<std::path::PathBuf>,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), key_file: None }
    }
}

/// Whatever can be advised.
#[must_use]
pub fn advice(error: &anyhow::Error, key_file: Option<&Path>) -> Option<String> {
    let api: &ApiError = error.downcast_ref()?;
    match api {
        ApiError::Problem(problem) if problem.is(Code::Unauthorized) => {
            let file = key_file.map_or_else(|| "the key file".to_owned(), |path| path.display().to_string());
            Some(format!(
                "the key is the one in {file}, the request id {}; `ffleet config check` tries each coordinator",
                problem.request_id
            ))
        }
        ApiError::Problem(problem) if problem.is(Code::ClockSkew) => {
            Some("set the clock of this machine, or of the coordinator".to_owned())
        }
        ApiError::Problem(problem) if problem.is(Code::WrongRole) => {
            Some("use the key of an account with that role: --key-file FILE".to_owned())
        }
        ApiError::Problem(problem) if problem.is(Code::PathOutside) => Some(
            "give the directory a path variable under [paths] in ffleet.toml, one that the workers have too".to_owned(),
        ),
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
