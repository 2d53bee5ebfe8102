//! What jobs are to their requesters: for each identity the newest job that has it. It is forgotten with that job.

use std::collections::HashMap;

use ffleet_protocol::{
    id::{AccountId, JobId},
    state::JobStatus,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{
    Store, StoreError,
    change::Change,
    commit::{Commit, Guard},
    row,
};

impl Store {
    /// The job of each of these identities of an account that has one, and where it stands.
    pub(crate) async fn identities<'a>(
        &self,
        who: &AccountId,
        identities: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, (JobId, JobStatus)>, StoreError> {
        use row::job_identity::Column as C;
        let found: Vec<(String, uuid::Uuid)> = row::job_identity::Entity::find()
            .select_only()
            .columns([C::Identity, C::JobId])
            .filter(C::AccountId.eq(who.as_str()))
            .filter(C::Identity.is_in(identities))
            .into_tuple()
            .all(self.reader())
            .await?;
        let ids: Vec<JobId> = found.iter().map(|(_, job)| JobId(*job)).collect();
        let standing = self.standing(&ids).await?;
        // Retention may take one between the two reads; then there is none.
        let kept = found.into_iter().filter_map(|(identity, job)| {
            let (status, _) = standing.get(&JobId(job))?;
            Some((identity, (JobId(job), *status)))
        });
        Ok(kept.collect())
    }
}

/// Gives an identity to `job`, provided that it is still `before`'s, or still nobody's.
pub(crate) fn take(commit: &mut Commit, who: &AccountId, identity: &str, before: Option<JobId>, job: JobId) {
    use row::job_identity::Column as C;
    commit.guards.push(Guard::Identity(who.clone(), identity.to_owned(), before));
    match before {
        None => commit.rows.identities.push(row::job_identity::Model {
            account_id: who.as_str().to_owned(),
            identity: identity.to_owned(),
            job_id: job.0,
        }),
        Some(before) => commit.changes.push(
            Change::of("job_identities", C::AccountId, who.as_str())
                .and(C::Identity, identity)
                .and(C::JobId, before.0)
                .set(C::JobId, job.0),
        ),
    }
}
