//! What columns hold, in the words of no database: whoever copies whole tables needs to know no more of them.

use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Whole numbers of 64 bits.
    Number,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// UUIDs.
    Id,
}

/// What a column holds, and whether it may hold nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// What it holds.
    pub(crate) holds: Holds,
    /// Whether it may be NULL.
    pub(crate) optional: bool,
}

/// A type that columns have.
pub(crate) trait Holding {
    /// What such a column holds.
    const KIND: Kind;
}

impl Holding for i64 {
    const KIND: Kind = Kind::of(Holds::Number);
}

impl Holding for String {
    const KIND: Kind = Kind::of(Holds::Text);
}

impl Holding for Vec<u8> {
    const KIND: Kind = Kind::of(Holds::Bytes);
}

impl Holding for Uuid {
    const KIND: Kind = Kind::of(Holds::Id);
}

impl<T: Holding> Holding for Option<T> {
    const KIND: Kind = Kind { holds: T::KIND.holds, optional: true };
}

impl Kind {
    /// A column that always holds one of these.
    pub(crate) const fn of(holds: Holds) -> Self {
        Self { holds, optional: false }
    }

    /// What such a column holds when it holds nothing.
    pub(crate) fn null(self) -> Value {
        match self.holds {
            Holds::Number => Value::BigInt(None),
            Holds::Text => Value::String(None),
            Holds::Bytes => Value::Bytes(None),
            Holds::Id => Value::Uuid(None),
        }
    }

    /// The value of such a column, at this place of a row.
    pub(crate) fn read(self, row: &QueryResult, index: usize) -> Result<Value, DbErr> {
        Ok(match self.holds {
            Holds::Number => Value::BigInt(row.try_get_by_index(index)?),
            Holds::Text => Value::String(row.try_get_by_index(index)?),
            Holds::Bytes => Value::Bytes(row.try_get_by_index(index)?),
            Holds::Id => Value::Uuid(row.try_get_by_index(index)?),
        })
    }
}
