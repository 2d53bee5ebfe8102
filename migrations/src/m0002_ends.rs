//! The latest ends of one requester's jobs. Without this index whoever looks at them reads everybody's.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::sql::run;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_ends"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait hides the lifetime, and its implementations have to")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Where an index can leave rows out, it costs nothing before a job has ended.
        let only = if manager.get_database_backend() == DbBackend::MySql { "" } else { "WHERE ended_at IS NOT NULL" };
        let sql = format!("CREATE INDEX jobs_requester_ended ON jobs (requester, ended_at) {only}");
        run(manager, &sql).await
    }
}
