//! `ffleet-coordinator import`

use std::path::PathBuf;

use ffleet_coordinator::{
    auth::{self, Belonging, belonging},
    run,
    store::transfer::import,
};

use super::{Failure, Printing, configured, json, progress::Progress};
use crate::cli::Settings;

/// Put what `export` has written into an empty database
///
/// It goes into the configured database, whose tables are made if they are not there. Any supported database can take what
/// any other one has given.
///
/// The file is read twice, so it cannot come from a pipe: nothing is written before its end was seen to be right. Until the
/// last row is there, no coordinator that starts serves the database. An import that was interrupted can begin anew.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A file that `export` has written
    file: PathBuf,
    /// Take a database in which an import was not finished: empty it, and begin again
    #[arg(long)]
    anew: bool,
    #[command(flatten)]
    printing: Printing,
}

const EXAMPLES: &str = "\
Examples:
  ffleet-coordinator import fleet.export
  ffleet-coordinator import --anew fleet.export
  ffleet-coordinator check

Moving to another database: stop all coordinators; `export`; change `database` in the configuration, and nothing else;
`import`; `check`; start them again. The master key stays the same.";

/// Reads it, and writes it.
pub async fn run(settings: &Settings, args: &Args) -> Result<(), Failure> {
    let config = configured(settings)?;
    run::writable(&config.database)?;
    let mut progress = Progress::new();
    let (database, readers) = (&config.database, config.master_key.readers());
    let done = Box::pin(import(database, readers, &args.file, args.anew, &mut |at| progress.transfer(at))).await?;
    drop(progress);
    let key = auth::load(&config.master_key).ok().map(|keyring| belonging(Some(&done.fingerprint), &keyring));
    if args.printing.json {
        let rows = &done.rows;
        json(&serde_json::json!({ "file": args.file, "at": done.at, "rows": rows, "master_key": key }))?;
    } else {
        let rows: u64 = done.rows.values().sum();
        println!(
            "imported {rows} rows, {} jobs among them, as they were at {:.0}",
            done.rows.get("jobs").copied().unwrap_or_default(),
            done.at
        );
    }
    if !matches!(key, Some(Belonging::Current | Belonging::Older)) {
        eprintln!(
            "ffleet-coordinator: the configured master key is not that of what was imported; set `master_key.file` to the \
             one of the installation that was exported before a coordinator starts"
        );
    }
    Ok(())
}
