//! Names of databases.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::USER;

/// A name for a database that no other in this program has.
pub(crate) fn unique_name() -> String {
    static NAMES: AtomicU32 = AtomicU32::new(1);
    format!("{USER}{}", NAMES.fetch_add(1, Ordering::Relaxed))
}
