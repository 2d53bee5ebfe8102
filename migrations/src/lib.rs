//! The schema, one file per change. Changes only ever add, so that coordinators of two versions can share a database.

use sea_orm_migration::prelude::*;

pub use sea_orm_migration::MigratorTrait;

mod m0001_core;
mod m0002_ends;
mod m0003_bulk;
mod m0004_lean_indexes;
mod m0005_clustered;
mod m0006_fewer_indexes;
mod sql;

/// Applies what is missing.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_core::Migration),
            Box::new(m0002_ends::Migration),
            Box::new(m0003_bulk::Migration),
            Box::new(m0004_lean_indexes::Migration),
            Box::new(m0005_clustered::Migration),
            Box::new(m0006_fewer_indexes::Migration),
        ]
    }
}
