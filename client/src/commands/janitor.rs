//! `ffleet janitor`

use std::collections::BTreeMap;

use serde::Serialize;

use super::Context;
use crate::{
    output::{Look, Text},
    table::{Table, cell},
};

/// Run every chore of the janitor now (for admins)
///
/// The coordinators run them by themselves every few seconds: leases that are over, workers that are silent, jobs whose
/// time is over, old output, used keys. Prints how many things each chore dealt with.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Chores {
    chores: BTreeMap<String, u64>,
}

impl Text for Chores {
    fn text(&self, look: Look) -> String {
        let mut table = Table::new(&["CHORE", "DEALT WITH"]);
        for (chore, count) in &self.chores {
            table.row(vec![cell(chore), cell(count)]);
        }
        table.text(look)
    }
}

/// Runs the command.
pub async fn run(context: &Context<'_>, _: &Args) -> anyhow::Result<u8> {
    context.out.show(&Chores { chores: context.api.janitor().await? })?;
    Ok(0)
}
