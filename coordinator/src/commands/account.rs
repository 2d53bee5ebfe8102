//! `ffleet-coordinator account …`: directly in the database, so that the first admin can be made. A running coordinator
//! follows within five seconds.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ffleet_coordinator::{
    app::App,
    ops::{Caller, accounts},
    run,
};
use ffleet_protocol::{
    account::{AccountView, IssuedKey, NewAccount, RotateRequest, Scope},
    id::AccountId,
    sign::{KeyFile, Secret},
    state::Role,
};
use ffleet_settings::write_secret_file;

use super::{Failure, Printing, configured, json};
use crate::cli::Settings;

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Make an account and its first key
    Add(Add),
    /// Show every account
    List(Printing),
    /// Make a second key; the first one goes on for a while
    Rotate(Rotate),
    /// Change what an account may do; what is not given stays
    Scope(ScopeChange),
    /// Let an account work again
    Enable(One),
    /// Stop an account from doing anything
    Disable(One),
    /// Remove an account and its keys
    Remove(One),
}

const EXAMPLES: &str = "\
Examples:
  ffleet-coordinator account add alice --role client --out alice.key
  ffleet-coordinator account add encoder-1 --role worker --network 10.0.0.0/8 --out encoder-1.key
  ffleet-coordinator account rotate alice --overlap-s 3600 --out alice-new.key
  ffleet-coordinator account scope alice --sees-all true --weight 2
  ffleet-coordinator account scope encoder-1 --any-network
  ffleet-coordinator account list --json";

/// `account add`
#[derive(Debug, Args)]
pub struct Add {
    /// Its name
    name: AccountId,
    /// client, worker or admin
    #[arg(long)]
    role: Role,
    /// A network it may come from, such as 10.0.0.0/8; may be given several times. Otherwise from anywhere
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<String>,
    /// It reads everybody's jobs
    #[arg(long)]
    sees_all: bool,
    /// It may name files outside path variables
    #[arg(long)]
    raw_paths: bool,
    /// Its share when several requesters wait
    #[arg(long, default_value_t = 1)]
    weight: u32,
    #[command(flatten)]
    key: KeyPlace,
    #[command(flatten)]
    printing: Printing,
}

/// `account rotate`
#[derive(Debug, Args)]
pub struct Rotate {
    /// Its name
    name: AccountId,
    /// How long the earlier key still works, in seconds; 0 ends it at once
    #[arg(long, value_name = "SECONDS", default_value_t = 24 * 3600)]
    overlap_s: u64,
    #[command(flatten)]
    key: KeyPlace,
    #[command(flatten)]
    printing: Printing,
}

/// `account scope`
#[derive(Debug, Args)]
pub struct ScopeChange {
    /// Its name
    name: AccountId,
    /// A network it may come from; replaces those of before; may be given several times
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<String>,
    /// It may come from anywhere
    #[arg(long, conflicts_with = "networks")]
    any_network: bool,
    /// Whether it reads everybody's jobs
    #[arg(long, value_name = "true|false")]
    sees_all: Option<bool>,
    /// Whether it may name files outside path variables
    #[arg(long, value_name = "true|false")]
    raw_paths: Option<bool>,
    /// Its share when several requesters wait
    #[arg(long)]
    weight: Option<u32>,
    #[command(flatten)]
    printing: Printing,
}

/// One account.
#[derive(Debug, Args)]
pub struct One {
    /// Its name
    name: AccountId,
    #[command(flatten)]
    printing: Printing,
}

/// Where a new key goes.
#[derive(Debug, Args)]
struct KeyPlace {
    /// A new file for the key, readable by this user only. Otherwise the key is printed, this once
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Does it.
pub async fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    let app = Box::pin(run::open(configured(settings)?)).await?;
    let who = accounts::command_line();
    match command {
        Command::Add(args) => add(&app, &who, args).await,
        Command::List(printing) => list(&app, &who, printing).await,
        Command::Rotate(args) => rotate(&app, &who, args).await,
        Command::Scope(args) => scope(&app, &who, args).await,
        Command::Enable(args) => show(args.printing, &accounts::enable(&app, &who, &args.name).await?),
        Command::Disable(args) => show(args.printing, &accounts::disable(&app, &who, &args.name).await?),
        Command::Remove(args) => {
            accounts::remove(&app, &who, &args.name).await?;
            if args.printing.json { json(&serde_json::json!({ "removed": args.name })) } else { Ok(()) }
        }
    }
}

async fn add(app: &App, who: &Caller, args: Add) -> Result<(), Failure> {
    args.key.check()?;
    let scope = Scope {
        networks: args.networks.into_iter().collect(),
        sees_all: args.sees_all,
        raw_paths: args.raw_paths,
        weight: args.weight,
    };
    let issued = accounts::add(app, who, NewAccount { id: args.name, role: args.role, scope }).await?;
    args.key.deliver(&issued, args.printing)
}

async fn rotate(app: &App, who: &Caller, args: Rotate) -> Result<(), Failure> {
    args.key.check()?;
    let issued = accounts::rotate(app, who, &args.name, &RotateRequest { overlap_s: args.overlap_s }).await?;
    args.key.deliver(&issued, args.printing)
}

async fn scope(app: &App, who: &Caller, args: ScopeChange) -> Result<(), Failure> {
    let mut scope = accounts::show(app, who, &args.name).await?.scope;
    if args.any_network || !args.networks.is_empty() {
        scope.networks = args.networks.into_iter().collect();
    }
    scope.sees_all = args.sees_all.unwrap_or(scope.sees_all);
    scope.raw_paths = args.raw_paths.unwrap_or(scope.raw_paths);
    scope.weight = args.weight.unwrap_or(scope.weight);
    show(args.printing, &accounts::scope(app, who, &args.name, scope).await?)
}

async fn list(app: &App, who: &Caller, printing: Printing) -> Result<(), Failure> {
    let found = accounts::list(app, who).await?;
    if printing.json {
        return json(&found);
    }
    for account in &found.accounts {
        print_account(account);
    }
    Ok(())
}

fn show(printing: Printing, account: &AccountView) -> Result<(), Failure> {
    if printing.json {
        return json(account);
    }
    print_account(account);
    Ok(())
}

fn print_account(account: &AccountView) {
    let Scope { networks, sees_all, raw_paths, weight } = &account.scope;
    let from = if networks.is_empty() {
        "anywhere".to_owned()
    } else {
        networks.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    let mut rights = String::new();
    for (has, word) in
        [(*sees_all, ", sees all jobs"), (*raw_paths, ", may use raw paths"), (!account.enabled, ", DISABLED")]
    {
        rights.push_str(if has { word } else { "" });
    }
    println!("{:<24} {:<7} weight {weight}, from {from}{rights}", account.id, account.role);
    for key in &account.keys {
        let until = key.expires_at.map(|at| format!(", works until {at:.0}")).unwrap_or_default();
        println!("  key {}, made {:.0}{until}", key.key_id, key.created_at);
    }
}

impl KeyPlace {
    /// Before anything is made: a key that cannot be delivered would be lost.
    fn check(&self) -> Result<(), Failure> {
        match &self.out {
            Some(path) if path.symlink_metadata().is_ok() => Err(Failure::Wrong(format!(
                "{} exists; name a new file, so that no key in use is lost",
                path.display()
            ))),
            Some(path) if !folder(path).is_dir() => {
                Err(Failure::Wrong(format!("the folder {} does not exist", folder(path).display())))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn deliver(&self, issued: &IssuedKey, printing: Printing) -> Result<(), Failure> {
        let secret = Secret::from_base64(&issued.secret).map_err(|error| Failure::Failed(error.to_string()))?;
        let line = KeyFile { key_id: issued.key_id.clone(), secret }.print();
        let Some(path) = &self.out else {
            if printing.json {
                return json(issued);
            }
            eprintln!(
                "The key of {}, shown this once. Put this line into a file that only its user can read:",
                issued.account
            );
            print!("{}", line.as_str());
            return Ok(());
        };
        write_secret_file(path, &line).map_err(|error| {
            Failure::Failed(format!(
                "the key {} was made but could not be written to {}: {error}; `account rotate {} --overlap-s 0` makes another",
                issued.key_id,
                path.display(),
                issued.account
            ))
        })?;
        if printing.json {
            return json(&serde_json::json!({ "account": issued.account, "key_id": issued.key_id, "file": path }));
        }
        println!("{}: key {} written to {}", issued.account, issued.key_id, path.display());
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
