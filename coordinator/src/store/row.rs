//! The tables as rows. Moments are microseconds since 1970, in UTC; JSON is text.

use rusqlite::ToSql;
use sea_orm::{DbErr, QueryResult, Value};

use super::kind::{Holding, Kind};

/// A row, as far as whole ones are written and read.
pub(crate) trait Row: Sized {
    /// Its table.
    const TABLE: &'static str;
    /// Its columns, in their order.
    const COLUMNS: &'static [&'static str];
    /// What each of them holds.
    const KINDS: &'static [Kind];
    /// The columns of its primary key.
    fn key() -> Vec<&'static str>;
    /// The statement that inserts one, or `TOGETHER` at once.
    fn insert(together: bool) -> &'static str;
    /// Its values, in the order of the columns.
    fn values(&self) -> Vec<&dyn ToSql>;
    /// The same for the query builder.
    fn bound(&self) -> Vec<Value>;
    /// The columns in which it differs from another one, with its values.
    fn unlike(&self, other: &Self) -> Vec<(&'static str, Value)>;
    /// Reads it from columns with this prefix.
    fn read(from: &QueryResult, prefix: &str) -> Result<Self, DbErr>;

    /// Its columns for a SELECT, from the table of this alias and with the alias as their prefix.
    fn selected(alias: &str) -> String {
        let columns: Vec<String> =
            Self::COLUMNS.iter().map(|column| format!("{alias}.{column} AS {alias}_{column}")).collect();
        columns.join(", ")
    }
}

/// Rows that one statement inserts. Within a statement SQLite stays at the end of each index that only grows there, where it
/// else would look for the place of each row anew.
pub(crate) const TOGETHER: usize = 64;

/// `OR ROLLBACK`, because a failure ends the transaction anyhow: otherwise a journal would be kept of each statement, to be
/// able to undo it alone.
fn insert(table: &str, columns: &[&str], rows: usize) -> String {
    let one = format!("({})", vec!["?"; columns.len()].join(", "));
    format!("INSERT OR ROLLBACK INTO {table} ({}) VALUES {}", columns.join(", "), vec![one; rows].join(", "))
}

/// Hands the rows to `write`, as statements and their values.
pub(crate) fn insert_all<R: Row, E>(
    rows: &[R],
    mut write: impl FnMut(&'static str, &[&dyn ToSql]) -> Result<(), E>,
) -> Result<(), E> {
    let (parts, rest) = rows.as_chunks::<TOGETHER>();
    for part in parts {
        write(R::insert(true), &part.iter().flat_map(Row::values).collect::<Vec<_>>())?;
    }
    rest.iter().try_for_each(|row| write(R::insert(false), &row.values()))
}

/// As many values as the next power of two, the last one repeated: lists of different lengths would each be a statement
/// to prepare.
pub(crate) fn padded<T: Clone>(values: &[T]) -> Vec<T> {
    let mut padded = values.to_vec();
    if let Some(last) = values.last() {
        padded.resize(values.len().next_power_of_two(), last.clone());
    }
    padded
}

/// Declares one table.
macro_rules! table {
    ($(#[$doc:meta])* $module:ident, $table:literal { $($(#[$fattr:meta])* $field:ident: $ty:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "columns are documented by the migration and by the conversions")]
        pub(crate) mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model { $($(#[$fattr])* pub $field: $ty),+ }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}

            impl super::Row for Model {
                const TABLE: &'static str = $table;
                const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];
                const KINDS: &'static [super::Kind] = &[$(<$ty as super::Holding>::KIND),+];

                fn key() -> Vec<&'static str> {
                    <PrimaryKey as sea_orm::Iterable>::iter().map(|key| key.into_column().as_str()).collect()
                }

                fn insert(together: bool) -> &'static str {
                    static SQL: std::sync::LazyLock<[String; 2]> = std::sync::LazyLock::new(|| {
                        [1, super::TOGETHER].map(|rows| super::insert($table, Model::COLUMNS, rows))
                    });
                    &SQL[usize::from(together)]
                }

                fn values(&self) -> Vec<&dyn rusqlite::ToSql> {
                    vec![$(&self.$field),+]
                }

                fn bound(&self) -> Vec<sea_orm::Value> {
                    vec![$(self.$field.clone().into()),+]
                }

                fn unlike(&self, other: &Self) -> Vec<(&'static str, sea_orm::Value)> {
                    let mut unlike = Vec::new();
                    $(if self.$field != other.$field {
                        unlike.push((stringify!($field), self.$field.clone().into()));
                    })+
                    unlike
                }

                fn read(from: &sea_orm::QueryResult, prefix: &str) -> Result<Self, DbErr> {
                    <Self as sea_orm::FromQueryResult>::from_query_result(from, prefix)
                }
            }
        }
    };
}

table!(/// What the first start of an installation wrote.
    installation, "installation" {
    #[sea_orm(primary_key, auto_increment = false)] id: i64,
    fingerprint: Vec<u8>,
    created_at: i64,
});

table!(/// Who signs requests.
    account, "accounts" {
    #[sea_orm(primary_key, auto_increment = false)] id: String,
    role: String,
    enabled: i64,
    scope: String,
    created_at: i64,
    version: i64,
});

table!(/// Sealed keys of accounts.
    account_key, "account_keys" {
    #[sea_orm(primary_key, auto_increment = false)] key_id: String,
    account_id: String,
    sealed: Vec<u8>,
    master_key_id: String,
    created_at: i64,
    expires_at: Option<i64>,
});

table!(/// Nonces that were used.
    nonce, "nonces" {
    #[sea_orm(primary_key, auto_increment = false)] key_id: String,
    #[sea_orm(primary_key, auto_increment = false)] nonce: String,
    request_id: Uuid,
    expires_at: i64,
});

table!(/// Idempotency keys that were used, and the jobs they made.
    idempotency, "idempotency" {
    #[sea_orm(primary_key, auto_increment = false)] account_id: String,
    #[sea_orm(primary_key, auto_increment = false)] idempotency_key: String,
    body_hash: Vec<u8>,
    job_id: Uuid,
    nonce: Option<String>,
    created_at: i64,
});

table!(/// Workers.
    worker, "workers" {
    #[sea_orm(primary_key, auto_increment = false)] id: String,
    account_id: String,
    version: i64,
    state: String,
    paused: i64,
    incarnation: Uuid,
    program_version: String,
    capabilities: String,
    beat: i64,
    registered_at: i64,
    seen_at: i64,
    hearing: Option<String>,
});

table!(/// Distinct sets of requirements.
    need, "needs" {
    #[sea_orm(primary_key)] id: i64,
    canonical: String,
    created_at: i64,
});

table!(/// Jobs, as far as they change.
    job, "jobs" {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    requester: String,
    version: i64,
    status: String,
    priority: i64,
    policy: String,
    created_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    outcome: Option<String>,
    retry_of: Option<Uuid>,
    monitored: i64,
    follower: Option<Uuid>,
    beat: i64,
    client_until: Option<i64>,
    purge_at: Option<i64>,
    retried_by: Option<Uuid>,
});

table!(/// The newest job of each identity.
    job_identity, "job_identities" {
    #[sea_orm(primary_key, auto_increment = false)] account_id: String,
    #[sea_orm(primary_key, auto_increment = false)] identity: String,
    job_id: Uuid,
});

table!(/// Jobs, as far as they never change.
    job_spec, "job_specs" {
    #[sea_orm(primary_key, auto_increment = false)] job_id: Uuid,
    spec: String,
    warnings: String,
});

table!(/// Words to find jobs by.
    job_label, "job_labels" {
    #[sea_orm(primary_key, auto_increment = false)] label_key: String,
    #[sea_orm(primary_key, auto_increment = false)] label_value: String,
    #[sea_orm(primary_key, auto_increment = false)] job_id: Uuid,
});

table!(/// Tasks.
    task, "tasks" {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    job_id: Uuid,
    requester: String,
    name: String,
    version: i64,
    state: String,
    epoch: i64,
    need_id: i64,
    neg_priority: i64,
    fair_key: i64,
    claim_need: Option<i64>,
    claim_priority: Option<i64>,
    live_priority: Option<i64>,
    not_before: Option<i64>,
    queue_deadline: Option<i64>,
    worker_id: Option<String>,
    lease_until: Option<i64>,
    holder_worker: Option<String>,
    holder_incarnation: Option<Uuid>,
    holder_token: Option<Uuid>,
    failures: i64,
    crashes: i64,
    rejections: i64,
    ran: i64,
    detail: String,
    signals: String,
    created_at: i64,
});

table!(/// What a blocked task waits for.
    task_dep, "task_deps" {
    #[sea_orm(primary_key, auto_increment = false)] task_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] job_id: Uuid,
});

table!(/// Where the output of a task stands.
    output, "task_output" {
    #[sea_orm(primary_key, auto_increment = false)] task_id: Uuid,
    version: i64,
    epoch: i64,
    next_seq: i64,
    kept_bytes: i64,
    stdout_bytes: i64,
    stdout_taken: i64,
    stdout_lost: i64,
    progress: Option<String>,
    progress_at: Option<i64>,
});

table!(/// Output: the records of one stream of one batch, compressed.
    chunk, "log_chunks" {
    #[sea_orm(primary_key, auto_increment = false)] task_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] epoch: i64,
    #[sea_orm(primary_key, auto_increment = false)] batch_first: i64,
    #[sea_orm(primary_key, auto_increment = false)] stream: String,
    batch_last: i64,
    bytes: i64,
    has_cr: i64,
    thinned: i64,
    data: Vec<u8>,
});

table!(/// Tries at tasks.
    attempt, "attempts" {
    #[sea_orm(primary_key, auto_increment = false)] task_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] epoch: i64,
    job_id: Uuid,
    worker_id: String,
    incarnation: Uuid,
    token: Uuid,
    grant_no: i64,
    claimed_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    end_kind: Option<String>,
    exit_code: Option<i64>,
    exit_signal: Option<i64>,
    failure: Option<String>,
    message: Option<String>,
});

table!(/// Transitions.
    event, "events" {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    at: i64,
    job_id: Uuid,
    task_id: Uuid,
    requester: String,
    epoch: i64,
    from_state: Option<String>,
    to_state: String,
    what: String,
    actor: String,
    worker_id: Option<String>,
    request_id: Uuid,
    source: i64,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow_to_a_power_of_two() {
        assert!(padded::<u8>(&[]).is_empty());
        assert_eq!(padded(&[1]), [1]);
        assert_eq!(padded(&[1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded(&[7; 500]).len(), 512);
    }
}
