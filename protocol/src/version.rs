//! Which versions of the protocol work together, and how readers take what they do not know.
//!
//! Programs of a version and of the one before it run beside each other while an installation is brought up to date, and in
//! both directions. So each of them takes its own version and its neighbours', and two rules keep the versions close:
//!
//! * **What a machine writes is read tolerantly.** All answers, all that workers send, signs of life of clients and what lies
//!   in the tables: a field that a reader does not know is left out, and a word that it does not know is `unknown`. What the
//!   reader then does stands beside each word's `Unknown`. Messages and words may so be added to without a new version.
//! * **What a person may have written is read strictly.** Jobs, batches, accounts, scopes, signals and queries: a field that
//!   a coordinator does not know is an error that names it, since to go on without it would do something other than was
//!   asked. Therefore no program writes a field there that says nothing: a new client that does not use what is new is
//!   understood by an old coordinator, and one that does is told.
//!
//! The version grows only when one side has to know what the other one understands: when a field goes, or a word comes whose
//! meaning a reader must not miss, such as another stream of output. Whoever knows both says to the other what that one knows.

/// The version that this program speaks. A worker names it when it registers, and the coordinator in its answer.
pub const PROTOCOL_VERSION: u32 = 1;

/// Before answers named it.
pub(crate) fn first() -> u32 {
    1
}

/// What two versions can do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// They work together.
    Together,
    /// The other side is too old for this one.
    TooOld,
    /// The other side is too new for this one.
    TooNew,
}

/// What becomes of a program of version `ours` that meets one of version `theirs`: neighbours work together.
#[must_use]
pub fn meet(ours: u32, theirs: u32) -> Meeting {
    match (ours.abs_diff(theirs), ours > theirs) {
        (0 | 1, _) => Meeting::Together,
        (_, true) => Meeting::TooOld,
        (_, false) => Meeting::TooNew,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_work_together() {
        use Meeting::{Together, TooNew, TooOld};
        for (ours, theirs, meeting) in [
            (1, 1, Together),
            (1, 2, Together),
            (2, 1, Together),
            (1, 0, Together),
            (1, 3, TooNew),
            (3, 1, TooOld),
            (7, 6, Together),
            (7, 8, Together),
            (7, 5, TooOld),
            (7, 9, TooNew),
            (0, u32::MAX, TooNew),
            (u32::MAX, 0, TooOld),
        ] {
            assert_eq!(meet(ours, theirs), meeting, "{ours} meets {theirs}");
            let other = match meeting {
                Together => Together,
                TooOld => TooNew,
                TooNew => TooOld,
            };
            assert_eq!(meet(theirs, ours), other, "both sides say the same: {theirs} meets {ours}");
        }
    }
}
