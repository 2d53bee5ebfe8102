//! A large history, made from one job that the coordinator itself brought to its end: every row that belongs to it is
//! copied, with ids and times of its own. Through the front door a million jobs would take a quarter of an hour.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ffleet_protocol::Timestamp;
use sqlx::{
    AssertSqlSafe, Connection, Executor, Row, SqliteConnection, query, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

/// Jobs that ended within the last day; all others ended before.
pub const RECENT: u64 = 1_000;
/// Microseconds between the ends of two old jobs.
const APART: i64 = 1_000_000;
const DAY: i64 = 24 * 3_600 * 1_000_000;

/// Makes `count` jobs of the only one. Nobody else may have the database open.
///
/// # Errors
/// When there is not one job, which has ended, or the file cannot be written.
pub async fn multiply(database: &Path, count: u64) -> Result<()> {
    let mut db = open(database).await?;
    let jobs: i64 = query_scalar("SELECT COUNT(*) FROM jobs").fetch_one(&mut db).await?;
    ensure!(jobs == 1, "there are {jobs} jobs; one is to be copied");
    // Indexes are made again at the end: sorted once instead of grown row by row.
    let indexes: Vec<(String, String)> =
        query("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            .fetch_all(&mut db)
            .await?
            .into_iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
    for (name, _) in &indexes {
        run(&mut db, &format!("DROP INDEX {name}")).await?;
    }
    copies(&mut db, count).await?;
    let tables: Vec<String> =
        query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut db).await?;
    for table in tables {
        copy(&mut db, &table).await?;
    }
    for (_, sql) in &indexes {
        run(&mut db, sql).await?;
    }
    close(db).await
}

/// Lets the time of every ended job be over.
///
/// # Errors
/// When the file cannot be written.
pub async fn expire(database: &Path) -> Result<()> {
    let mut db = open(database).await?;
    run(&mut db, "UPDATE jobs SET purge_at = ended_at WHERE purge_at IS NOT NULL").await?;
    close(db).await
}

/// How many jobs there are; the coordinator may run.
///
/// # Errors
/// When the file cannot be read.
pub async fn count(database: &Path) -> Result<u64> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let jobs: i64 = query_scalar("SELECT COUNT(*) FROM jobs WHERE ended_at IS NOT NULL").fetch_one(&mut db).await?;
    db.close().await?;
    Ok(jobs.try_into()?)
}

async fn open(database: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-262144")
        .pragma("temp_store", "memory");
    SqliteConnection::connect_with(&options).await.context("the database cannot be opened for filling")
}

async fn close(mut db: SqliteConnection) -> Result<()> {
    run(&mut db, "PRAGMA journal_mode = WAL").await?;
    Ok(db.close().await?)
}

/// The ids and times of the copies. Ids are UUIDv7 (RFC 9562): 48 bits of milliseconds, then the version and what makes
/// them distinct.
async fn copies(db: &mut SqliteConnection, count: u64) -> Result<()> {
    let ended: i64 =
        query_scalar("SELECT ended_at FROM jobs").fetch_one(&mut *db).await.context("the job has ended")?;
    let (count, recent) = (i64::try_from(count)?, i64::try_from(RECENT)?);
    let now = Timestamp::now().as_microsecond();
    run(
        db,
        &format!(
            "CREATE TEMP TABLE copies AS
             WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {count} - 1),
             times AS (SELECT i, CASE WHEN i < {count} - {recent}
                 THEN {now} - {DAY} - ({count} - i) * {APART} ELSE {now} - {DAY} / 2 + i * 1000 END - {ended} AS later FROM numbers)
             SELECT i, later,
                 unhex(printf('%012x70008%015x', ({ended} + later) / 1000, i)) AS job,
                 unhex(printf('%012x70009%015x', ({ended} + later) / 1000, i)) AS task
             FROM times"
        ),
    )
    .await
}

/// Copies the rows of the job in one table.
async fn copy(db: &mut SqliteConnection, table: &str) -> Result<()> {
    let columns: Vec<String> = query(AssertSqlSafe(format!("PRAGMA table_info({table})")))
        .fetch_all(&mut *db)
        .await?
        .iter()
        .map(|row| row.get("name"))
        .collect();
    let has = |name: &str| columns.iter().any(|column| column == name);
    let of_a_job = has("job_id") || has("task_id") || table == "jobs";
    if !of_a_job {
        return Ok(());
    }
    let value = |column: &String| match (table, column.as_str()) {
        ("jobs", "id") | (_, "job_id") => "c.job".to_owned(),
        ("tasks", "id") | (_, "task_id") => "c.task".to_owned(),
        // The order of a job's own events is that of their ids.
        ("events", "id") => {
            "unhex(printf('%012x7%03xa%015x', (o.at + c.later) / 1000, o.rowid % 4096, c.i))".to_owned()
        }
        // Of the only attempt, which is the one that holds the task.
        ("attempts", "token") | ("tasks", "holder_token") => "c.task".to_owned(),
        ("idempotency", "idempotency_key") => "o.idempotency_key || c.i".to_owned(),
        (_, "at" | "created_at" | "started_at" | "ended_at" | "claimed_at" | "purge_at" | "progress_at") => {
            format!("o.{column} + c.later")
        }
        (_, other) => format!("o.{other}"),
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    run(db, &format!("CREATE TEMP TABLE o AS SELECT * FROM {table}")).await?;
    run(db, &format!("INSERT INTO {table} ({columns}) SELECT {values} FROM copies AS c CROSS JOIN temp.o AS o"))
        .await?;
    run(db, "DROP TABLE temp.o").await
}

/// SQL of our own, with nothing in it that anybody else wrote.
async fn run(db: &mut SqliteConnection, sql: &str) -> Result<()> {
    db.execute(AssertSqlSafe(sql.to_owned())).await.with_context(|| sql.to_owned())?;
    Ok(())
}
