//! What the row of the installation holds while an import is under way: a mark in the place of the fingerprint of the master
//! key. No master key has it, so no coordinator serves such a database, whatever its version. Each import has a mark of its
//! own, and writes only while the mark is its own.

/// How each mark begins. A fingerprint has 32 bytes and is none of them.
const BEGIN: &[u8] = b"an import is under way, or was not finished: ";

/// A new mark.
pub(super) fn mark() -> Vec<u8> {
    let mut own = [0; 16];
    rand::fill(&mut own);
    [BEGIN, &own].concat()
}

/// Whether this stands in the place of a fingerprint because an import is under way, or was not finished.
pub(crate) fn is_unfinished(fingerprint: &[u8]) -> bool {
    fingerprint.starts_with(BEGIN)
}
