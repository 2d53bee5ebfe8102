//! How each worker hears that it should look.

use sea_orm_migration::prelude::*;

use crate::sql::run;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0007_hearing"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait hides the lifetime, and its implementations have to")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "ALTER TABLE workers ADD COLUMN hearing {text} NULL").await
    }
}
