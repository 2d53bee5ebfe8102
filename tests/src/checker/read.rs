//! Reading the history from a SQLite file.

use std::path::Path;

use sqlx::{
    Connection, Error, SqliteConnection, query_as,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use uuid::Uuid;

use super::{Attempt, Chunk, Event, History, Job, Key, Span, Task};

impl History {
    /// Reads everything at one moment. Nothing is written; coordinators may run meanwhile.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold what the product writes.
    pub async fn read(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut db = SqliteConnection::connect_with(&options).await?;
        let mut db = db.begin().await?;
        let jobs = jobs(&mut db).await?;
        let tasks = tasks(&mut db).await?;
        Ok(Self {
            jobs,
            tasks,
            attempts: attempts(&mut db).await?,
            events: events(&mut db).await?,
            chunks: chunks(&mut db).await?,
            keys: keys(&mut db).await?,
            log_cap: None,
        })
    }
}

/// All rows of a query, as tuples.
async fn rows<T>(db: &mut SqliteConnection, sql: &'static str) -> Result<Vec<T>, Error>
where
    T: for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin,
{
    query_as(sql).fetch_all(db).await
}

fn id(bytes: &[u8]) -> Result<Uuid, Error> {
    Uuid::from_slice(bytes).map_err(|error| Error::Decode(error.into()))
}

fn id_opt(bytes: Option<&[u8]>) -> Result<Option<Uuid>, Error> {
    bytes.map(id).transpose()
}

type Bytes = Vec<u8>;

async fn jobs(db: &mut SqliteConnection) -> Result<Vec<Job>, Error> {
    type Row = (Bytes, String, Option<String>, Option<String>, Option<i64>, Option<Bytes>, Option<String>);
    let sql = "SELECT j.id, j.status, json_extract(j.outcome, '$.status'), json_extract(j.outcome, '$.failure'),
        j.ended_at, j.retry_of,
        (SELECT group_concat(label_key || '=' || label_value, char(10)) FROM job_labels l WHERE l.job_id = j.id)
        FROM jobs j ORDER BY j.id";
    let found: Vec<Row> = rows(db, sql).await?;
    let job = |(job, status, outcome, failure, ended_at, retry_of, labels): Row| {
        let labels = labels.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        let retry_of = id_opt(retry_of.as_deref())?;
        Ok(Job { id: id(&job)?, status, outcome, failure, ended_at, retry_of, labels })
    };
    found.into_iter().map(job).collect()
}

async fn tasks(db: &mut SqliteConnection) -> Result<Vec<Task>, Error> {
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

async fn attempts(db: &mut SqliteConnection) -> Result<Vec<Attempt>, Error> {
    type Row = (Bytes, i64, String, Bytes, i64, Option<i64>, Option<i64>, Option<String>);
    let sql = "SELECT task_id, epoch, worker_id, token, claimed_at, started_at, ended_at, end_kind
        FROM attempts ORDER BY task_id, epoch";
    let found: Vec<Row> = rows(db, sql).await?;
    let attempt = |(task, epoch, worker, token, claimed_at, started_at, ended_at, end): Row| {
        Ok(Attempt { task: id(&task)?, epoch, worker, token: id(&token)?, claimed_at, started_at, ended_at, end })
    };
    found.into_iter().map(attempt).collect()
}

/// In the order of the commits, which the ids are not: they are given before.
async fn events(db: &mut SqliteConnection) -> Result<Vec<Event>, Error> {
    type Row = (Bytes, Bytes, i64, Option<String>, String, String, Option<String>, i64);
    let sql = "SELECT id, task_id, epoch, from_state, to_state, what, worker_id, at FROM events ORDER BY rowid";
    let found: Vec<Row> = rows(db, sql).await?;
    let event = |(event, task, epoch, from, to, what, worker, at): Row| {
        Ok(Event { id: id(&event)?, task: id(&task)?, epoch, from, to, what, worker, at })
    };
    found.into_iter().map(event).collect()
}

async fn keys(db: &mut SqliteConnection) -> Result<Vec<Key>, Error> {
    let sql = "SELECT account_id, idempotency_key, job_id FROM idempotency ORDER BY created_at";
    let found: Vec<(String, String, Bytes)> = rows(db, sql).await?;
    found.into_iter().map(|(account, key, job)| Ok(Key { account, key, job: id(&job)? })).collect()
}

async fn chunks(db: &mut SqliteConnection) -> Result<Vec<Chunk>, Error> {
    type Row = (Bytes, i64, String, i64, i64, bool, Bytes);
    let sql = "SELECT task_id, epoch, stream, batch_first, batch_last, thinned, data
        FROM log_chunks ORDER BY task_id, epoch, batch_first, stream";
    let found: Vec<Row> = rows(db, sql).await?;
    let chunk = |(task, epoch, stream, batch_first, batch_last, thinned, data): Row| {
        let task = id(&task)?;
        Ok(Chunk { task, epoch, stream, batch_first, batch_last, thinned, records: records(&data)? })
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
