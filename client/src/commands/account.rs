//! `ffleet account …`

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use ffleet_protocol::{
    account::{IssuedKey, NewAccount, RotateRequest, Scope},
    id::{AccountId, KeyId},
    sign::{KeyFile, Secret},
    state::Role,
};
use ffleet_settings::write_secret_file;
use serde::Serialize;

use super::{Context, crowd::confirmed};
use crate::{
    durations::{parse, whole_seconds},
    output::{Look, Text},
    show,
};

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// List accounts
    List,
    /// Show an account and its keys
    Show(One),
    /// Make an account and its first key
    Add(Add),
    /// Make a second key; the first one goes on for a while
    Rotate(Rotate),
    /// Change what an account may do; what is not given stays
    Scope(ScopeChange),
    /// Let an account work again
    Enable(One),
    /// Stop an account from doing anything, within five seconds everywhere
    Disable(One),
    /// Remove an account and its keys; its jobs stay
    Remove(Remove),
}

const EXAMPLES: &str = "\
Examples:
  ffleet account add alice --role client --out alice.key
  ffleet account add encoder-1 --role worker --network 10.0.0.0/8 --out encoder-1.key
  ffleet account rotate alice --overlap 1h --out alice-new.key
  ffleet account scope alice --sees-all true --weight 2
  ffleet account scope encoder-1 --any-network
  ffleet account list --json

The first admin is made where the database is: ffleet-coordinator account add NAME --role admin";

/// One account.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Its name
    name: AccountId,
}

/// `account add`
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Its name
    name: AccountId,
    /// client, worker or admin
    #[arg(long)]
    role: Role,
    /// A network it may come from, such as 10.0.0.0/8; may be repeated. Otherwise from anywhere
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<String>,
    /// It reads everybody's jobs
    #[arg(long)]
    sees_all: bool,
    /// It may name files outside path variables
    #[arg(long)]
    raw_paths: bool,
    /// Its share when several requesters wait
    #[arg(long, value_name = "N", default_value_t = 1)]
    weight: u32,
    #[command(flatten)]
    key: KeyPlace,
}

/// `account rotate`
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Its name
    name: AccountId,
    /// How long the earlier key still works
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = parse)]
    overlap: Duration,
    /// End the earlier key at once
    #[arg(long, conflicts_with = "overlap")]
    at_once: bool,
    #[command(flatten)]
    key: KeyPlace,
}

/// `account scope`
#[derive(Debug, clap::Args)]
pub struct ScopeChange {
    /// Its name
    name: AccountId,
    /// A network it may come from; replaces those of before; may be repeated
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
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
}

/// `account remove`
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Its name
    name: AccountId,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Where a new key goes.
#[derive(Debug, clap::Args)]
struct KeyPlace {
    /// A new file for the key, readable by this user only. Otherwise the key is printed, this once
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, command: Command) -> anyhow::Result<u8> {
    let Context { api, out, .. } = context;
    let account = match command {
        Command::List => {
            out.show_all(&api.accounts().await?.accounts, show::accounts)?;
            return Ok(0);
        }
        Command::Add(args) => return add(context, args).await,
        Command::Rotate(args) => return rotate(context, args).await,
        Command::Remove(args) => return remove(context, &args).await,
        Command::Show(args) => api.account(&args.name).await?,
        Command::Enable(args) => api.enable_account(&args.name).await?,
        Command::Disable(args) => api.disable_account(&args.name).await?,
        Command::Scope(args) => {
            let before = api.account(&args.name).await?.scope;
            let name = args.name.clone();
            api.set_scope(&name, &changed(before, args)).await?
        }
    };
    out.show(&account)?;
    Ok(0)
}

fn changed(before: Scope, args: ScopeChange) -> Scope {
    let moved = args.any_network || !args.networks.is_empty();
    Scope {
        networks: if moved { args.networks.into_iter().collect() } else { before.networks },
        sees_all: args.sees_all.unwrap_or(before.sees_all),
        raw_paths: args.raw_paths.unwrap_or(before.raw_paths),
        weight: args.weight.unwrap_or(before.weight),
    }
}

async fn add(context: &Context<'_>, args: Add) -> anyhow::Result<u8> {
    args.key.check()?;
    let scope = Scope {
        networks: args.networks.into_iter().collect(),
        sees_all: args.sees_all,
        raw_paths: args.raw_paths,
        weight: args.weight,
    };
    let issued = context.api.add_account(&NewAccount { id: args.name, role: args.role, scope }).await?;
    args.key.deliver(context, &issued)
}

async fn rotate(context: &Context<'_>, args: Rotate) -> anyhow::Result<u8> {
    args.key.check()?;
    let overlap_s = if args.at_once { 0 } else { whole_seconds(args.overlap) };
    let issued = context.api.rotate_key(&args.name, &RotateRequest { overlap_s }).await?;
    args.key.deliver(context, &issued)
}

async fn remove(context: &Context<'_>, args: &Remove) -> anyhow::Result<u8> {
    // A name that is not there is said before anybody is asked.
    let account = context.api.account(&args.name).await?;
    confirmed(args.yes, &format!("Remove the {} account {} and its keys?", account.role, account.id))?;
    context.api.remove_account(&args.name).await?;
    context.out.show(&Removed { removed: &args.name })?;
    Ok(0)
}

#[derive(Serialize)]
struct Removed<'a> {
    removed: &'a AccountId,
}

impl Text for Removed<'_> {
    fn text(&self, _: Look) -> String {
        format!("{} removed", self.removed)
    }
}

/// A key that lies in a file now.
#[derive(Serialize)]
struct Written<'a> {
    account: &'a AccountId,
    key_id: &'a KeyId,
    file: &'a Path,
}

impl Text for Written<'_> {
    fn text(&self, _: Look) -> String {
        format!("{}: key {} written to {}", self.account, self.key_id, self.file.display())
    }
}

impl KeyPlace {
    /// Before anything is made: a key that cannot be delivered would be lost.
    fn check(&self) -> anyhow::Result<()> {
        let Some(path) = &self.out else { return Ok(()) };
        if path.symlink_metadata().is_ok() {
            bail!("{} exists; name a new file, so that no key in use is lost", path.display());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            bail!("the folder {} does not exist", folder.display());
        }
        Ok(())
    }

    fn deliver(&self, context: &Context<'_>, issued: &IssuedKey) -> anyhow::Result<u8> {
        let out = context.out;
        let secret = Secret::from_base64(&issued.secret)?;
        let line = KeyFile { key_id: issued.key_id.clone(), secret }.print();
        match &self.out {
            None if out.json() => out.json_line(issued)?,
            None => {
                let account = &issued.account;
                out.note(&format!(
                    "the key of {account}, shown this once; put it into a file that only its user can read:"
                ));
                out.line(line.trim_end())?;
            }
            Some(path) => {
                write_secret_file(path, &line).with_context(|| {
                    format!(
                        "the key {} was made but could not be written to {}; `ffleet account rotate {} --at-once` makes \
                         another",
                        issued.key_id,
                        path.display(),
                        issued.account
                    )
                })?;
                out.show(&Written { account: &issued.account, key_id: &issued.key_id, file: path })?;
            }
        }
        Ok(0)
    }
}
