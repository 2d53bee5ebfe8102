//! Indexes that every job paid for and few reads used. The age of an idempotency key is that of its job, whose id says it.
//! Of the tasks in a state, only those are looked for that wait for other jobs; where an index can leave rows out, the others
//! are not in it.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::sql::run;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0006_fewer_indexes"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait hides the lifetime, and its implementations have to")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::MySql {
            return run(manager, "DROP INDEX idempotency_age ON idempotency").await;
        }
        for sql in [
            "DROP INDEX idempotency_age",
            "DROP INDEX tasks_state",
            "CREATE INDEX tasks_blocked ON tasks (id) WHERE state = 'blocked'",
        ] {
            run(manager, sql).await?;
        }
        Ok(())
    }
}
