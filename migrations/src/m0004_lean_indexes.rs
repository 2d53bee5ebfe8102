//! Indexes that hold only the rows they are asked for. Most moments are not set while a job waits, and most tasks cannot be
//! claimed any more: leaving those rows out makes a submit cheaper and keeps the indexes of what lives from growing with
//! history. MariaDB has no such indexes and keeps the whole ones.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::sql::run;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_lean_indexes"
    }
}

/// Name, table, columns, and the column that must be set.
const LEAN: &[(&str, &str, &str, &str)] = &[
    ("jobs_ended", "jobs", "ended_at, status", "ended_at"),
    ("jobs_client", "jobs", "client_until", "client_until"),
    ("jobs_purge", "jobs", "purge_at", "purge_at"),
    ("tasks_claim", "tasks", "claim_need, neg_priority, fair_key, id", "claim_need"),
    ("tasks_claim_priority", "tasks", "claim_priority, fair_key", "claim_priority"),
    ("tasks_live", "tasks", "requester, live_priority, fair_key", "live_priority"),
    ("tasks_worker", "tasks", "worker_id", "worker_id"),
    ("tasks_lease", "tasks", "lease_until", "lease_until"),
    ("tasks_ripe", "tasks", "not_before", "not_before"),
    ("tasks_queue_deadline", "tasks", "queue_deadline", "queue_deadline"),
];

/// A requester's newest jobs of one status: without it, rare ones are looked for among all.
const MORE: &str = "CREATE INDEX jobs_requester_status ON jobs (requester, status, id)";

#[expect(elided_lifetimes_in_paths, reason = "the trait hides the lifetime, and its implementations have to")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, MORE).await?;
        if manager.get_database_backend() == DbBackend::MySql {
            return Ok(());
        }
        for (name, table, columns, set) in LEAN {
            run(manager, &format!("DROP INDEX {name}")).await?;
            run(manager, &format!("CREATE INDEX {name} ON {table} ({columns}) WHERE {set} IS NOT NULL")).await?;
        }
        Ok(())
    }
}
