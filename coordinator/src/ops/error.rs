//! How an operation says no.

use ffleet_protocol::{
    job::Outcome,
    problem::{Code, FieldError},
    state::TaskStatus,
};

use crate::store::StoreError;

/// Why an operation did not happen. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// The caller has to do something else.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The same request may go through later.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Refused {
    /// For programs.
    pub code: Code,
    /// For people: what was wrong and what to do.
    pub detail: String,
    /// Single fields.
    pub errors: Vec<FieldError>,
    /// With a log gap: where to go on.
    pub next_seq: Option<u64>,
    /// Where the task stands.
    pub state: Option<TaskStatus>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl OpError {
    /// A refusal with words for people.
    pub fn refused(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused(Box::new(Refused {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            next_seq: None,
            state: None,
            outcome: None,
        }))
    }

    /// A refusal because of one field.
    pub fn field(code: Code, field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::fields(code, format!("{field}: {detail}"), vec![FieldError { field: field.to_owned(), detail }])
    }

    /// A refusal because of several fields.
    pub fn fields(code: Code, detail: impl Into<String>, errors: Vec<FieldError>) -> Self {
        let mut error = Self::refused(code, detail);
        if let Self::Refused(refused) = &mut error {
            refused.errors = errors;
        }
        error
    }
}

impl From<StoreError> for OpError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(what) => {
                Self::Unavailable(format!("{what} kept changing while this request was decided; send it again"))
            }
            StoreError::Unavailable(cause) => {
                tracing::warn!(%cause, "the database does not answer");
                Self::Unavailable("the database does not answer; send the request again".to_owned())
            }
            StoreError::NoRoom(cause) => {
                tracing::error!(%cause, "the disk of the database is full; make room, and work goes on by itself");
                Self::Unavailable(
                    "the disk of the coordinator's database is full; nothing was changed. Send the request again when \
                     whoever runs it has made room"
                        .to_owned(),
                )
            }
            other @ (StoreError::Corrupt { .. } | StoreError::Other(_)) => Self::Internal(anyhow::Error::new(other)),
        }
    }
}
