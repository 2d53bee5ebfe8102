//! Many jobs at once: those with a label, those that failed.

mod act;
mod confirm;
mod wait;

use ffleet_client::{Api, ApiError};
use ffleet_protocol::{
    id::AccountId,
    job::{JobFilter, JobSummary},
    limits,
    state::JobStatus,
};

pub use act::{Done, act};
pub use confirm::confirmed;
pub use wait::{not_within, wait};

/// Whose jobs, and which.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// All jobs with this label
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::submit::labelled)]
    pub label: Option<String>,
    /// Only jobs of this account (for admins)
    #[arg(long, value_name = "ACCOUNT", requires = "label")]
    pub requester: Option<AccountId>,
}

impl Which {
    /// A filter for those of them that stand so, as far as no other job repeats them.
    fn filter(&self, statuses: impl IntoIterator<Item = JobStatus>) -> JobFilter {
        let statuses: Vec<&str> = statuses.into_iter().map(JobStatus::as_str).collect();
        JobFilter {
            status: Some(statuses.join(",")),
            requester: self.requester.clone(),
            label: self.label.clone(),
            retried: Some(false),
            limit: Some(limits::PAGE),
            ..JobFilter::default()
        }
    }

    /// Those of them that stand so, page after page, the newest first.
    pub async fn find(
        &self,
        api: &Api,
        statuses: impl IntoIterator<Item = JobStatus>,
        mut found: impl FnMut(JobSummary),
    ) -> Result<(), ApiError> {
        let mut filter = self.filter(statuses);
        loop {
            let page = api.jobs(&filter).await?;
            page.jobs.into_iter().for_each(&mut found);
            match page.next_cursor {
                Some(cursor) => filter.cursor = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// For people: `with the label show=x`.
    #[must_use]
    pub fn words(&self) -> String {
        let label = self.label.as_ref().map(|label| format!(" with the label {label}")).unwrap_or_default();
        let requester = self.requester.as_ref().map(|account| format!(" of {account}")).unwrap_or_default();
        format!("{label}{requester}")
    }
}

/// Every status before the end.
pub fn live() -> impl Iterator<Item = JobStatus> {
    JobStatus::ALL.iter().copied().filter(|status| !status.is_terminal())
}

/// For people: `1 job`, `20 jobs`.
#[must_use]
pub fn jobs(count: usize) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}
