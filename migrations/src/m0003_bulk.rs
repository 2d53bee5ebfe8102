//! What submitting and retrying in bulk has to remember: what each job is for its requester, and which jobs were repeated.

use sea_orm_migration::prelude::*;

use crate::sql::run;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_bulk"
    }
}

const CHANGES: &[&str] = &[
    // The newest job of each identity. Unlike an idempotency key it is kept as long as its job.
    "CREATE TABLE job_identities (
        account_id VARCHAR(64) NOT NULL,
        identity VARCHAR(128) NOT NULL,
        job_id {uuid} NOT NULL,
        PRIMARY KEY (account_id, identity))",
    // retention: what goes with a job
    "CREATE INDEX job_identities_job ON job_identities (job_id)",
    // The newest job that repeats this one.
    "ALTER TABLE jobs ADD COLUMN retried_by {uuid} NULL",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait hides the lifetime, and its implementations have to")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in CHANGES {
            run(manager, sql).await?;
        }
        Ok(())
    }
}
