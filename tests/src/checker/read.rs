//! Reading the history from a SQLite file or a MariaDB.

use serde_json::Value;
use sqlx::{
    Connection, Error, FromRow, MySqlConnection, SqliteConnection,
    mysql::MySqlRow,
    query_as,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use uuid::Uuid;

use super::{Attempt, Chunk, Event, History, Job, Key, Span, Task, order::in_order};

/// A database that is read.
enum Db {
    File(SqliteConnection),
    Server(MySqlConnection),
}

impl History {
    /// Reads everything at one moment, from a file of SQLite or the URL of a MariaDB. Nothing is written; coordinators may run
    /// meanwhile.
    ///
    /// # Errors
    /// When it cannot be read, or does not hold what the product writes.
    pub async fn read(place: &str) -> Result<Self, Error> {
        let mut db = if place.starts_with("mysql://") {
            let mut db = MySqlConnection::connect(place).await?;
            sqlx::raw_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT").execute(&mut db).await?;
            Db::Server(db)
        } else {
            let options = SqliteConnectOptions::new().filename(place).read_only(true);
            let mut db = SqliteConnection::connect_with(&options).await?;
            sqlx::raw_sql("BEGIN").execute(&mut db).await?;
            Db::File(db)
        };
        let db = &mut db;
        Ok(Self {
            jobs: jobs(db).await?,
            tasks: tasks(db).await?,
            attempts: attempts(db).await?,
            events: events(db).await?,
            chunks: chunks(db).await?,
            keys: keys(db).await?,
            log_cap: None,
        })
    }
}

/// All rows of a query, as tuples.
async fn rows<T>(db: &mut Db, sql: &'static str) -> Result<Vec<T>, Error>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin,
{
    match db {
        Db::File(db) => query_as(sql).fetch_all(db).await,
        Db::Server(db) => query_as(sql).fetch_all(db).await,
    }
}

fn id(bytes: &[u8]) -> Result<Uuid, Error> {
    Uuid::from_slice(bytes).map_err(|error| Error::Decode(error.into()))
}

fn id_opt(bytes: Option<&[u8]>) -> Result<Option<Uuid>, Error> {
    bytes.map(id).transpose()
}

type Bytes = Vec<u8>;

async fn jobs(db: &mut Db) -> Result<Vec<Job>, Error> {
    type Row = (Bytes, String, Option<String>, Option<i64>, Option<Bytes>);
    let found: Vec<Row> = rows(db, "SELECT id, status, outcome, ended_at, retry_of FROM jobs ORDER BY id").await?;
    let labels: Vec<(Bytes, String, String)> =
        rows(db, "SELECT job_id, label_key, label_value FROM job_labels").await?;
    let mut of = std::collections::HashMap::<Bytes, Vec<String>>::new();
    for (job, key, value) in labels {
        of.entry(job).or_default().push(format!("{key}={value}"));
    }
    let mut jobs = Vec::with_capacity(found.len());
    for (job, status, outcome, ended_at, retry_of) in found {
        let outcome: Value = outcome
            .map_or(Ok(Value::Null), |text| serde_json::from_str(&text))
            .map_err(|error| Error::Decode(error.into()))?;
        let word = |name: &str| outcome[name].as_str().map(str::to_owned);
        let mut labels = of.remove(&job).unwrap_or_default();
        labels.sort();
        let retry_of = id_opt(retry_of.as_deref())?;
        let (failure, outcome) = (word("failure"), word("status"));
        jobs.push(Job { id: id(&job)?, status, outcome, failure, ended_at, retry_of, labels });
    }
    Ok(jobs)
}

async fn tasks(db: &mut Db) -> Result<Vec<Task>, Error> {
    type Row = (Bytes, Bytes, String, i64, Option<String>, Option<Bytes>, i64, i64, i64);
    let sql = "SELECT t.id, t.job_id, t.state, t.epoch, t.worker_id, t.holder_token, o.epoch, o.next_seq, o.kept_bytes
        FROM tasks t JOIN task_output o ON o.task_id = t.id ORDER BY t.id";
    let found: Vec<Row> = rows(db, sql).await?;
    let task = |(task, job, state, epoch, worker, token, output_epoch, next_seq, kept_bytes): Row| {
        let token = id_opt(token.as_deref())?;
        Ok(Task { id: id(&task)?, job: id(&job)?, state, epoch, worker, token, output_epoch, next_seq, kept_bytes })
    };
    found.into_iter().map(task).collect()
}

async fn attempts(db: &mut Db) -> Result<Vec<Attempt>, Error> {
    type Row = (Bytes, i64, String, Bytes, i64, Option<i64>, Option<i64>, Option<String>);
    let sql = "SELECT task_id, epoch, worker_id, token, claimed_at, started_at, ended_at, end_kind
        FROM attempts ORDER BY task_id, epoch";
    let found: Vec<Row> = rows(db, sql).await?;
    let attempt = |(task, epoch, worker, token, claimed_at, started_at, ended_at, end): Row| {
        Ok(Attempt { task: id(&task)?, epoch, worker, token: id(&token)?, claimed_at, started_at, ended_at, end })
    };
    found.into_iter().map(attempt).collect()
}

/// In the order of the commits, which the ids are not: they are given before. A server keeps no such order; there, one in
/// which the transitions of each task follow each other is looked for.
async fn events(db: &mut Db) -> Result<Vec<Event>, Error> {
    type Row = (Bytes, Bytes, i64, Option<String>, String, String, Option<String>, i64);
    let is_file = matches!(db, Db::File(_));
    let sql = match db {
        Db::File(_) => {
            "SELECT id, task_id, epoch, from_state, to_state, what, worker_id, at FROM events ORDER BY rowid"
        }
        Db::Server(_) => "SELECT id, task_id, epoch, from_state, to_state, what, worker_id, at FROM events ORDER BY id",
    };
    let found: Vec<Row> = rows(db, sql).await?;
    let event = |(event, task, epoch, from, to, what, worker, at): Row| {
        Ok(Event { id: id(&event)?, task: id(&task)?, epoch, from, to, what, worker, at })
    };
    let events = found.into_iter().map(event).collect::<Result<Vec<_>, Error>>()?;
    Ok(if is_file { events } else { in_order(events) })
}

async fn keys(db: &mut Db) -> Result<Vec<Key>, Error> {
    let sql = "SELECT account_id, idempotency_key, job_id FROM idempotency ORDER BY created_at";
    let found: Vec<(String, String, Bytes)> = rows(db, sql).await?;
    found.into_iter().map(|(account, key, job)| Ok(Key { account, key, job: id(&job)? })).collect()
}

async fn chunks(db: &mut Db) -> Result<Vec<Chunk>, Error> {
    type Row = (Bytes, i64, String, i64, i64, i64, Bytes);
    let sql = "SELECT task_id, epoch, stream, batch_first, batch_last, thinned, data
        FROM log_chunks ORDER BY task_id, epoch, batch_first, stream";
    let found: Vec<Row> = rows(db, sql).await?;
    let chunk = |(task, epoch, stream, batch_first, batch_last, thinned, data): Row| {
        let task = id(&task)?;
        Ok(Chunk { task, epoch, stream, batch_first, batch_last, thinned: thinned != 0, records: records(&data)? })
    };
    found.into_iter().map(chunk).collect()
}

/// The numbers of the records in a chunk: LZ4 with its size before it, and in it for each record its first and last
/// number and the length of the text, little-endian, and the text.
fn records(data: &[u8]) -> Result<Vec<Span>, Error> {
    const HEAD: usize = 20;
    let cut = || Error::Decode("a chunk of output ends within a record".into());
    let raw = lz4_flex::decompress_size_prepended(data).map_err(|error| Error::Decode(error.into()))?;
    let mut left = raw.as_slice();
    let mut spans = Vec::new();
    while !left.is_empty() {
        let (head, rest) = left.split_at_checked(HEAD).ok_or_else(cut)?;
        let number =
            |range: std::ops::Range<usize>| head[range].iter().rev().fold(0_i64, |n, byte| n << 8 | i64::from(*byte));
        let length = usize::try_from(number(16..20)).map_err(|_| cut())?;
        spans.push(Span { first: number(0..8), last: number(8..16) });
        left = rest.split_at_checked(length).ok_or_else(cut)?.1;
    }
    Ok(spans)
}
