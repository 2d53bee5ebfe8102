//! Updates of many commits in few trips to the database: every statement by itself costs two changes of thread, several
//! times the work that it does. Most commits of a batch are of the same kind, so texts of the same statements come again
//! and stay prepared.

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, Statement,
    sea_query::{SqliteQueryBuilder, UpdateStatement},
};

use super::commit::Commit;

/// Commits of the same kind that go in one trip; a power of two.
const TOGETHER: usize = 8;

/// The updates of one commit, as one text.
struct Update {
    sql: String,
    values: Vec<sea_orm::Value>,
    statements: u64,
}

/// Runs the updates of all commits, in their order.
pub(super) async fn run(tx: &DatabaseTransaction, commits: &[&Commit]) -> Result<(), DbErr> {
    let updates: Vec<Update> =
        commits.iter().filter(|commit| !commit.updates.is_empty()).map(|commit| joined(&commit.updates)).collect();
    let mut rest = updates.into_iter().peekable();
    while let Some(first) = rest.next() {
        let mut same = vec![first];
        while same.len() < TOGETHER {
            let Some(next) = rest.next_if(|next| next.sql == same[0].sql) else { break };
            same.push(next);
        }
        while !same.is_empty() {
            // Powers of two, so that few texts have to be prepared.
            let more = same.split_off(1 << same.len().ilog2());
            together(tx, same).await?;
            same = more;
        }
    }
    Ok(())
}

async fn together(tx: &DatabaseTransaction, same: Vec<Update>) -> Result<(), DbErr> {
    let statements: u64 = same.iter().map(|update| update.statements).sum();
    let sql = same.iter().map(|update| update.sql.as_str()).collect::<Vec<_>>().join("; ");
    let values: Vec<sea_orm::Value> = same.into_iter().flat_map(|update| update.values).collect();
    let done = tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    // The guards held, so each found its row. Should one not have, half a decision must not be written.
    if done.rows_affected() == statements { Ok(()) } else { Err(DbErr::RecordNotUpdated) }
}

fn joined(updates: &[UpdateStatement]) -> Update {
    let (mut sql, mut values) = (String::new(), Vec::new());
    for update in updates {
        let (text, more) = update.build(SqliteQueryBuilder);
        if !sql.is_empty() {
            sql.push_str("; ");
        }
        sql.push_str(&text);
        values.extend(more);
    }
    Update { sql, values, statements: updates.len() as u64 }
}
