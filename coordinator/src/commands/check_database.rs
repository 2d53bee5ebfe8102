//! `ffleet-coordinator check`

use ffleet_coordinator::{
    auth::{self, Belonging, Keyring, belonging},
    store::{Cluster, Finding, Inspection, inspect},
};
use serde_json::json;

use super::{Failure, Printing, configured, json as print_json, progress::Progress};
use crate::cli::Settings;

/// Look at the database, change nothing, and say what endangers a promise
///
/// It looks at the server's settings, the cluster, the tables, what this user may do there, or at the file and its folder, and
/// whether the configured master key belongs to the database. For everything that it finds it says what to do.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    printing: Printing,
}

const EXAMPLES: &str = "\
Examples:
  ffleet-coordinator check
  ffleet-coordinator check --json | jq .findings

Exit codes:
  0  nothing was found: a coordinator can serve, and keeps what it promises
  1  something endangers a promise, or the database cannot be used as it is
  2  the command line or the configuration is wrong";

/// Looks, and says what was seen.
pub async fn run(settings: &Settings, args: &Args) -> Result<(), Failure> {
    let config = configured(settings)?;
    let mut progress = Progress::new();
    progress.say("looking at the database …");
    let mut seen = Box::pin(inspect(&config.database, config.master_key.readers())).await;
    drop(progress);
    let key = match auth::load(&config.master_key) {
        Ok(keyring) => master_key(&keyring, &mut seen),
        Err(error) => {
            let fix = "set `master_key.file` to the key of this installation";
            seen.findings.push(Finding { what: error.to_string(), fix: fix.to_owned(), fatal: true });
            None
        }
    };
    if args.printing.json {
        print_json(&as_json(&seen, key))?;
    } else {
        print(&seen, key);
    }
    match seen.findings.len() {
        0 => Ok(()),
        1 => Err(Failure::Failed("one thing has to be looked after".to_owned())),
        many => Err(Failure::Failed(format!("{many} things have to be looked after"))),
    }
}

/// Whether the configured keys are those of the installation; `None` where nobody could tell.
fn master_key(keyring: &Keyring, seen: &mut Inspection) -> Option<Belonging> {
    if !seen.up_to_date {
        return None;
    }
    let is = belonging(seen.fingerprint.as_deref(), keyring);
    let found = |what: String, fix: &str, fatal| Finding { what, fix: fix.to_owned(), fatal };
    match is {
        Belonging::Other => seen.findings.push(found(
            format!("the configured master key ({}) is not that of this database", keyring.current_id()),
            "set `master_key.file` to the right file; if the key was changed, add the earlier one to `master_key.older`",
            true,
        )),
        Belonging::Unfinished => seen.findings.push(found(
            "an import into this database is under way, or was not finished".to_owned(),
            "wait for it; or begin again with `ffleet-coordinator import --anew FILE`",
            true,
        )),
        Belonging::Unused | Belonging::Current | Belonging::Older => {}
    }
    if matches!(is, Belonging::Current | Belonging::Older) {
        for (id, keys) in seen.sealed.iter().filter(|(id, _)| !keyring.has(id)) {
            seen.findings.push(found(
                format!("{keys} key(s) of accounts are sealed with the master key {id}, which is not configured"),
                "add its file to `master_key.older`, or make new keys with `ffleet-coordinator account rotate`",
                false,
            ));
        }
    }
    Some(is)
}

fn as_json(seen: &Inspection, key: Option<Belonging>) -> serde_json::Value {
    let finding = |Finding { what, fix, fatal }: &Finding| json!({ "what": what, "fix": fix, "fatal": fatal });
    let cluster = |Cluster { size, status, state }: &Cluster| json!({ "size": size, "status": status, "state": state });
    json!({
        "database": seen.place,
        "server": seen.server,
        "cluster": seen.cluster.as_ref().map(cluster),
        "tables": { "up_to_date": seen.up_to_date, "missing": seen.missing, "newer": seen.newer },
        "master_key": key,
        "findings": seen.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn print(seen: &Inspection, key: Option<Belonging>) {
    let line = |name: &str, text: &str| {
        if !text.is_empty() {
            println!("{name:<12} {text}");
        }
    };
    line("database", &seen.place);
    line("server", &seen.server);
    if let Some(Cluster { size, status, state }) = &seen.cluster {
        line("cluster", &format!("{size} node(s), {status}; this one is {state}"));
    }
    line(
        "tables",
        &match (seen.up_to_date, &seen.newer[..]) {
            (false, _) => String::new(),
            (true, []) => "up to date".to_owned(),
            (true, newer) => format!("those of a newer version, with which this one can work ({})", newer.join(", ")),
        },
    );
    let key = key.map(|key| match key {
        Belonging::Unused => "no coordinator has served this database yet; the first one makes it its own",
        Belonging::Current => "is that of this database",
        Belonging::Older => "an earlier one is that of this database; the next start has it follow the current one",
        Belonging::Other => "is not that of this database",
        Belonging::Unfinished => "none: an import is under way, or was not finished",
    });
    line("master key", key.unwrap_or_default());
    if seen.findings.is_empty() {
        println!("\nNothing was found that endangers what ffleet promises.");
    }
    for (index, Finding { what, fix, fatal }) in seen.findings.iter().enumerate() {
        println!("\n{}. {}{what}", index + 1, if *fatal { "It cannot be used: " } else { "" });
        println!("   fix: {fix}");
    }
}
