//! `ffleet-coordinator migrate`

use ffleet_coordinator::{run, store};

use super::{Failure, Printing, configured, json};
use crate::cli::Settings;

/// Bring the tables of the database up to date, and end
///
/// A coordinator does the same when it starts; with this it can be done before, or as another user of the database, who may
/// change tables. It does not need the master key.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    printing: Printing,
}

const EXAMPLES: &str = "\
Examples:
  ffleet-coordinator migrate
  FFLEET_COORDINATOR_DATABASE__URL=mysql://owner@db:3306/ffleet ffleet-coordinator migrate";

/// Does it, and says what was missing.
pub async fn run(settings: &Settings, args: &Args) -> Result<(), Failure> {
    let config = configured(settings)?;
    run::writable(&config.database)?;
    let applied = store::migrate(&config.database, config.master_key.readers()).await.map_err(anyhow::Error::from)?;
    if args.printing.json {
        return json(&serde_json::json!({ "applied": applied }));
    }
    for change in &applied {
        println!("applied {change}");
    }
    println!(
        "{}",
        if applied.is_empty() { "nothing was missing: the tables are up to date" } else { "the tables are up to date" }
    );
    Ok(())
}
