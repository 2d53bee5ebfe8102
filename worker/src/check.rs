//! `ffleet-worker check`: shows what would be used, tries it, and says what does not work.

use std::time::Duration;

use anyhow::bail;
use ffleet_client::{Api, Connection};
use ffleet_nudges::{Brokers, Interest, Notify};
use ffleet_protocol::{job::JobFilter, problem::Code};

use crate::{
    capabilities,
    config::Config,
    process::{MarkPrefix, Orphans, Starter},
};

/// How long brokers may take to let us in, addresses that do not answer included.
const BROKERS: Duration = Duration::from_secs(8);

/// Prints the outcome of each check on standard output; whether all of them went well.
pub async fn check(config: &Config) -> anyhow::Result<bool> {
    println!("{}", config.show()?);
    let starter = Starter::new(Orphans::Adopt)?;
    let marks = MarkPrefix::new("check");
    let proven = capabilities::prove(config, &starter, &marks).await;
    for (name, program) in &proven.capabilities.programs {
        println!("ok: program {name}: {}", program.version);
    }
    for (name, mount) in &proven.capabilities.variables {
        let writable = if mount.writable { "writable" } else { "read-only" };
        let free = mount.free_bytes.map_or(String::new(), |bytes| format!(", {} MiB free", bytes / 1024 / 1024));
        println!("ok: path variable {name}: {writable}{free}");
    }
    for problem in &proven.capabilities.problems {
        println!("PROBLEM: {problem}");
    }
    let reached = match coordinator(config).await {
        Ok(words) => {
            println!("ok: {words}");
            true
        }
        Err(error) => {
            println!("PROBLEM: {error:#}");
            false
        }
    };
    let heard = brokers(config).await;
    Ok(reached && heard && proven.capabilities.problems.is_empty())
}

/// Listens to the brokers as the worker would; whether all of them let it.
async fn brokers(config: &Config) -> bool {
    let Notify { amqp, mqtt } = &config.notify;
    if amqp.is_none() && mqtt.is_none() {
        return true;
    }
    let tried = async {
        let account = api(config)?.worker(&config.id).await.map_err(|error| {
            anyhow::anyhow!("which nudges are this worker's is known when it has registered once ({error})")
        })?;
        let interest = Interest::Worker(account.account, config.id.clone());
        let name = format!("ffleet-worker-check-{}", config.id);
        anyhow::Ok(Brokers::start(&config.notify, config.readers(), &name, &interest, |_| {})?)
    };
    let brokers = match tried.await {
        Ok(brokers) => brokers,
        Err(error) => {
            println!("PROBLEM: notify: {error:#}");
            return false;
        }
    };
    let states = brokers.states_within(BROKERS).await;
    for state in &states {
        let which = state.transport.as_str();
        if state.connected {
            println!("ok: notify.{which}: the broker lets this worker hear its nudges");
        } else {
            let why = state.trouble.as_deref().unwrap_or("no answer in time");
            println!("PROBLEM: notify.{which}: {why}");
        }
    }
    states.iter().all(|state| state.connected)
}

fn api(config: &Config) -> anyhow::Result<Api> {
    let mut connection = Connection::new(config.coordinators.clone(), config.key()?);
    connection.ca_file.clone_from(&config.ca_file);
    connection.agent = concat!("ffleet-worker/", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(Api::new(connection)?.with_deadline(Duration::ZERO).with_try_timeout(Duration::from_secs(5)))
}

/// Asks for this worker's own entry, which only its account may see.
async fn coordinator(config: &Config) -> anyhow::Result<String> {
    let api = api(config)?;
    // Everybody may look at workers, while workers alone may not look at jobs.
    match api.jobs(&JobFilter { limit: Some(1), ..JobFilter::default() }).await {
        Err(error) if error.is(Code::WrongRole) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => bail!(
            "the key in {} is not a worker's, so that this worker could not register; an admin makes one: \
             ffleet-coordinator account add NAME --role worker",
            config.key_file.display()
        ),
    }
    match api.worker(&config.id).await {
        Ok(view) => Ok(format!("the coordinators know worker {}, which is {}", view.id, view.state)),
        Err(error) if error.is(Code::NoSuchWorker) => {
            Ok(format!("the coordinators answer; worker {} has not registered with this key yet", config.id))
        }
        Err(error) => Err(error.into()),
    }
}
