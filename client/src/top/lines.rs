//! Looks as lines of JSON, for programs.

use std::time::Duration;

use ffleet_client::Api;
use ffleet_protocol::overview::{Overview, OverviewQuery};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::output::Output;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    /// A look.
    Overview(&'a Overview),
    /// A look that failed; the next one is taken all the same.
    Silence {
        /// Since when nobody answers, by this machine's clock.
        since: Timestamp,
        /// Why.
        message: String,
    },
}

/// Prints a look, and unless there is to be one only, others after it at every `interval`.
pub async fn run(api: &Api, out: &Output, query: &OverviewQuery, interval: Duration, once: bool) -> anyhow::Result<()> {
    // The first look is as patient as any command, and its failure is the program's.
    out.json_line(&Line::Overview(&api.overview(query).await?))?;
    if once {
        return Ok(());
    }
    let api = api.with_deadline(Duration::ZERO);
    let mut silent_since = None;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        match api.overview(query).await {
            Ok(overview) => {
                silent_since = None;
                out.json_line(&Line::Overview(&overview))?;
            }
            Err(error) if error.is_passing() => {
                let since = *silent_since.get_or_insert_with(Timestamp::now);
                out.json_line(&Line::Silence { since, message: error.to_string() })?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
