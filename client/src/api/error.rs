//! How a call can go wrong, in words that help.

use ffleet_protocol::problem::{Code, Problem};

/// Why a call brought no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A coordinator said no.
    #[error("{}", problem_text(.0))]
    Problem(Box<Problem>),
    /// No coordinator answered within the deadline.
    #[error("no coordinator could be reached{}", attempts_text(.attempts))]
    Unreachable {
        /// The last cause for each address that was tried.
        attempts: Vec<Attempted>,
    },
    /// Something answered that does not talk like a coordinator.
    #[error("{url} does not answer like an ffleet coordinator: {what}")]
    Protocol {
        /// Whose answer it was.
        url: String,
        /// What was wrong with it.
        what: String,
    },
    /// A stream broke off; asking again from the last cursor goes on with it.
    #[error("the connection to {url} broke off: {cause}")]
    Interrupted {
        /// Whose stream it was.
        url: String,
        /// What happened.
        cause: String,
    },
    /// The call could not even be prepared.
    #[error("{0}")]
    Setup(String),
}

/// An address that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The coordinator.
    pub url: String,
    /// What happened.
    pub cause: String,
}

impl ApiError {
    /// The coordinator's code for programs, if it was a coordinator that said no.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }

    /// Whether a coordinator said no with this code.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.problem().is_some_and(|problem| problem.is(code))
    }

    /// What the coordinator said, if it was one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Unreachable { .. } | Self::Protocol { .. } | Self::Interrupted { .. } | Self::Setup(_) => None,
        }
    }

    /// Whether the same call may well succeed later: nobody answered, or somebody answered "not now".
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.status >= 500 || problem.is(Code::TooManyRequests),
            Self::Unreachable { .. } | Self::Interrupted { .. } => true,
            Self::Protocol { .. } | Self::Setup(_) => false,
        }
    }
}

fn problem_text(problem: &Problem) -> String {
    let mut text = if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() };
    for (index, error) in problem.errors.iter().enumerate() {
        let line = format!("{}: {}", error.field, error.detail);
        // The first of them usually stands in the detail already, though perhaps under another name of its field.
        let told = problem.detail.contains(if index == 0 { &error.detail } else { &line });
        if !told {
            text.push_str(&format!("\n  {line}"));
        }
    }
    text
}

fn attempts_text(attempts: &[Attempted]) -> String {
    attempts.iter().map(|tried| format!("\n  {}: {}", tried.url, tried.cause)).collect()
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::{id::RequestId, problem::FieldError};

    use super::*;

    #[test]
    fn every_wrong_field_is_named_once() {
        let field = |field: &str, detail: &str| FieldError { field: field.to_owned(), detail: detail.to_owned() };
        let mut problem = Problem::new(Code::BadField, "priority: far too high (2 more are wrong)", RequestId::new());
        problem.errors =
            vec![field("priority", "far too high"), field("lease_s", "too short"), field("x", "far too high")];
        let text = ApiError::Problem(Box::new(problem)).to_string();
        assert_eq!(text, "priority: far too high (2 more are wrong)\n  lease_s: too short\n  x: far too high");
    }
}
