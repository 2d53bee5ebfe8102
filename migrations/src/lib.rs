//! The schema, one file per change. Changes only ever add, so that coordinators of two versions can share a database: tables,
//! indexes, columns that may be null or have a default. An older coordinator then reads and writes as before, and may be
//! started on tables that are newer than it is.
//!
//! Should a change ever be none of that kind, such as one that takes a column away or lets a column hold a word that older
//! versions cannot read, its name says so: `m0009_break_words`. See [`breaks`].

use sea_orm_migration::prelude::*;

pub use sea_orm_migration::MigratorTrait;

mod m0001_core;
mod m0002_ends;
mod m0003_bulk;
mod m0004_lean_indexes;
mod m0005_clustered;
mod m0006_fewer_indexes;
mod m0007_hearing;
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
            Box::new(m0007_hearing::Migration),
        ]
    }
}

/// Whether programs that do not know the change of this name must keep away from tables that it was made to. It is told by the
/// name, because the name is all that they see of it.
#[must_use]
pub fn breaks(name: &str) -> bool {
    name.split('_').nth(1) == Some("break")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_numbered_and_their_names_say_whether_older_versions_can_go_on() {
        for (index, change) in Migrator::migrations().iter().enumerate() {
            assert!(change.name().starts_with(&format!("m{:04}_", index + 1)), "{}", change.name());
            assert!(!breaks(change.name()), "{} only adds", change.name());
        }
        assert!(breaks("m0009_break_words") && breaks("m0010_break"));
        assert!(!breaks("m0009_breakfast") && !breaks("m0009_coffee_break") && !breaks("break"));
    }
}
