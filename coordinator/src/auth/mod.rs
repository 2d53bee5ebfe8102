//! Who may speak: accounts, their keys, and the master key that seals these in the database.
//!
//! Signatures themselves are checked where requests come in (`http`); what is needed for it is found here.

pub mod accounts;
pub mod installation;
pub mod keyring;
pub mod master_key;

pub use accounts::{AccountCache, KnownKey};
pub use installation::{Belonging, InstallationError, admit, belonging};
pub use keyring::{Keyring, KeyringError, Recognized, Sealed};
pub use master_key::{MasterKeyError, load};
