//! How every ffleet program finds, reads, checks and shows its configuration.
//!
//! One file, then environment variables, then flags; a later one wins. Unknown keys are errors that name the key, the
//! nearest known one and where it was written, because a misspelt key that is silently ignored is found at three in the
//! morning.
//!
//! ```no_run
//! use ffleet_settings::{Overrides, Source};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config { id: String }
//!
//! let source = Source { flag: None, env_var: "FFLEET_WORKER_CONFIG", file_name: "worker.toml", env_prefix: "FFLEET_WORKER_" };
//! let overrides = Overrides::none().flag("--id", "id", Some("gpu-1"));
//! let loaded = ffleet_settings::load::<Config>(&source, &overrides)?;
//! println!("{} from {:?}", loaded.value.id, loaded.path);
//! # Ok::<(), ffleet_settings::SettingsError>(())
//! ```
//!
//! Environment variables: the prefix, then the key in capitals, with `__` between levels (`FFLEET_WORKER_LOG__LEVEL` is
//! `log.level`). A part written with a small letter keeps its case (`FFLEET_PATHS__Media` is `paths.Media`). Values are
//! read like TOML values (`7`, `true`, `["a", "b"]`, `{ path = "/x" }`), and whatever is none of these is text; text that
//! looks like a number is put in quotes.

mod certificates;
mod environment;
mod error;
mod file;
mod load;
mod mask;
mod overrides;
mod secret;

pub use certificates::{CertificateFileError, Trust, read_certificates};
pub use environment::Environment;
pub use error::SettingsError;
pub use load::{Loaded, Source, load, load_in};
pub use mask::{mask_text, show};
pub use overrides::Overrides;
pub use secret::{SecretFileError, SecretReaders, read_secret_file, write_secret_file};
