//! What is wrong with a spec, collected.

use ffleet_protocol::problem::{Code, FieldError};

/// A spec that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct BadSpec {
    /// Of the first thing that is wrong.
    pub code: Code,
    /// Everything that is wrong, in the order of the fields.
    pub errors: Vec<FieldError>,
    /// For people, in a sentence.
    pub detail: String,
}

/// Most that is told at once: a command of ten thousand arguments that all have the same fault needs no book.
const TOLD: usize = 50;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    code: Option<Code>,
    errors: Vec<FieldError>,
    untold: usize,
}

impl Troubles {
    pub(super) fn add(&mut self, code: Code, field: impl Into<String>, detail: impl Into<String>) {
        self.code.get_or_insert(code);
        if self.errors.len() < TOLD {
            self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        } else {
            self.untold += 1;
        }
    }

    /// A value that is not allowed.
    pub(super) fn field(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.add(Code::BadField, field, detail);
    }

    pub(super) fn into_result(self) -> Result<(), BadSpec> {
        let (Some(code), [first, rest @ ..]) = (self.code, &*self.errors) else {
            return Ok(());
        };
        let mut detail = format!("{}: {}", first.field, first.detail);
        let more = rest.len() + self.untold;
        if more > 0 {
            detail += &format!(" ({more} more of the job's fields {} wrong)", if more == 1 { "is" } else { "are" });
        }
        Err(BadSpec { code, errors: self.errors, detail })
    }
}
