//! Output: chunks of records, compressed. A chunk holds the records of one stream of one batch, already encoded as the
//! lines that followers read, so that reading is copying.

use std::collections::HashMap;

use bytes::Bytes;
use ffleet_protocol::{
    id::{JobId, TaskId},
    log::{Data, Dropped, FollowRecord, LineEnd, Progress, Record},
    state::Stream,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
    sea_query::{Expr, ExprTrait, Query},
};
use serde::Serialize;

use super::{
    Store, StoreError,
    change::Change,
    commit::{Commit, Guard},
    convert::{count, micros, to_json, word},
    row,
};
use crate::domain::logcap::{Chunk, ChunkKey};

/// One record as a follower reads it: a line of JSON with its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) stream: Stream,
    pub(crate) json: Bytes,
}

/// Lines that were read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) lines: Vec<Line>,
    /// The number up to which everything that is kept was read. Chunks may have lost their last lines to the log's limit.
    pub(crate) through: u64,
    /// Whether there may be more.
    pub(crate) more: bool,
}

/// What an append changes in the row of a task's output.
#[derive(Debug, Clone)]
pub(crate) struct Appended {
    pub(crate) epoch: u32,
    pub(crate) next_seq: u64,
    pub(crate) stdout_bytes: u64,
    pub(crate) stdout_lost: bool,
    pub(crate) progress: Option<Progress>,
}

/// The commit of a batch: its chunks and one guarded bump of the output's row, which is given as it becomes.
pub(crate) fn append(
    task: TaskId,
    output: &row::output::Model,
    records: &[Record],
    new: &Appended,
    now: ffleet_protocol::Timestamp,
) -> (Commit, row::output::Model) {
    use row::output::Column as C;
    let mut commit = Commit::default();
    let mut kept = 0;
    for stream in Stream::ALL {
        let of_stream: Vec<&Record> = records.iter().filter(|record| record.stream == *stream).collect();
        if let (Some(first), Some(last)) = (records.first(), records.last())
            && !of_stream.is_empty()
        {
            let model = chunk(task, new.epoch, (first.seq, last.last_seq()), *stream, &of_stream, false);
            if *stream != Stream::Stdout {
                kept += model.bytes;
            }
            commit.rows.chunks.push(model);
        }
    }
    let becomes = row::output::Model {
        epoch: i64::from(new.epoch),
        next_seq: i64::try_from(new.next_seq).unwrap_or(i64::MAX),
        kept_bytes: output.kept_bytes + kept,
        stdout_bytes: i64::try_from(new.stdout_bytes).unwrap_or(i64::MAX),
        stdout_taken: i64::from(output.stdout_taken != 0 || new.stdout_bytes > 0),
        stdout_lost: i64::from(output.stdout_lost != 0 || new.stdout_lost),
        progress: new.progress.as_ref().map_or_else(|| output.progress.clone(), |progress| Some(to_json(progress))),
        progress_at: new.progress.as_ref().map_or(output.progress_at, |_| Some(micros(now))),
        version: output.version + 1,
        ..output.clone()
    };
    let change = Change::of("task_output", C::TaskId, task.0).becomes(output, &becomes);
    commit.guards.push(Guard::Output(task, output.version));
    commit.changes.push(change);
    (commit, becomes)
}

/// Bytes that a record stands for in limits.
pub(crate) fn size(record: &Record) -> u64 {
    match &record.data {
        Data::Text(text) => text.len() as u64,
        // Four letters for three bytes.
        Data::B64(text) => {
            (text.len() as u64 / 4) * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count() as u64
        }
        Data::Dropped(_) => 0,
    }
}

/// What a record costs on disk beyond its bytes: time, numbers, punctuation.
const OVERHEAD: u64 = 16;

/// What `FollowRecord::Output` is written as, without a copy of the record and without `flatten`, which writes each field
/// in a roundabout way: there are very many records.
#[derive(Serialize)]
struct Output<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    task: TaskId,
    epoch: u32,
    seq: u64,
    stream: Stream,
    at: ffleet_protocol::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b64: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<&'a Dropped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<LineEnd>,
}

impl<'a> Output<'a> {
    fn of(task: TaskId, epoch: u32, record: &'a Record) -> Self {
        let Record { seq, stream, at, ref data, end } = *record;
        let mut output =
            Self { kind: "output", task, epoch, seq, stream, at, text: None, b64: None, dropped: None, end };
        match data {
            Data::Text(text) => output.text = Some(text),
            Data::B64(text) => output.b64 = Some(text),
            Data::Dropped(dropped) => output.dropped = Some(dropped),
        }
        output
    }
}

fn chunk(
    task: TaskId,
    epoch: u32,
    span: (u64, u64),
    stream: Stream,
    records: &[&Record],
    thinned: bool,
) -> row::chunk::Model {
    let mut raw = Vec::new();
    for record in records {
        raw.extend_from_slice(&record.seq.to_le_bytes());
        raw.extend_from_slice(&record.last_seq().to_le_bytes());
        let length_at = raw.len();
        raw.extend_from_slice(&[0; 4]);
        // Into memory, and with nothing in it that JSON cannot say: this cannot fail.
        let _ = serde_json::to_writer(&mut raw, &Output::of(task, epoch, record));
        raw.push(b'\n');
        let length = u32::try_from(raw.len() - length_at - 4).unwrap_or(u32::MAX);
        raw[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    row::chunk::Model {
        task_id: task.0,
        epoch: i64::from(epoch),
        batch_first: number(span.0),
        stream: stream.as_str().to_owned(),
        batch_last: number(span.1),
        bytes: number(records.iter().map(|record| size(record) + OVERHEAD).sum()),
        has_cr: i64::from(records.iter().any(|record| record.end == Some(LineEnd::Cr))),
        thinned: i64::from(thinned),
        data: lz4_flex::compress_prepend_size(&raw),
    }
}

/// The lines of a chunk, in order.
fn lines(row: &row::chunk::Model) -> Result<Vec<Line>, StoreError> {
    let corrupt = |why: &str| StoreError::corrupt(TaskId(row.task_id), why);
    let raw = lz4_flex::decompress_size_prepended(&row.data).map_err(|error| corrupt(&error.to_string()))?;
    let stream = word(&row.stream)?;
    let mut raw = Bytes::from(raw);
    let mut lines = Vec::new();
    while !raw.is_empty() {
        if raw.len() < 20 {
            return Err(corrupt("a chunk ends within a record"));
        }
        let head = raw.split_to(20);
        let number = |at: usize| -> u64 { head[at..at + 8].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)) };
        let length = head[16..20].iter().rev().fold(0_usize, |n, byte| n << 8 | usize::from(*byte));
        if raw.len() < length {
            return Err(corrupt("a chunk ends within a line"));
        }
        lines.push(Line { seq: number(0), last_seq: number(8), stream, json: raw.split_to(length) });
    }
    Ok(lines)
}

impl Store {
    /// How often the output of these jobs has been written to, in a number that grows with it.
    pub(crate) async fn said(&self, jobs: &[JobId]) -> Result<HashMap<JobId, i64>, StoreError> {
        let db = self.hints();
        let mut said = HashMap::new();
        for part in jobs.chunks(512) {
            let ids: Vec<sea_orm::Value> = row::padded(part).into_iter().map(|id| id.0.into()).collect();
            let places = vec!["?"; ids.len()].join(", ");
            let sql = format!(
                "SELECT t.job_id, o.version FROM tasks AS t JOIN task_output AS o ON o.task_id = t.id WHERE t.job_id IN \
                 ({places})"
            );
            let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, ids);
            for row in db.query_all_raw(statement).await? {
                let (job, version): (uuid::Uuid, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                *said.entry(JobId(job)).or_default() += version;
            }
        }
        Ok(said)
    }

    /// The row of a task's output.
    pub(crate) async fn output(&self, task: TaskId) -> Result<Option<row::output::Model>, StoreError> {
        Ok(row::output::Entity::find_by_id(task.0).one(self.reader()).await?)
    }

    /// Lines of an attempt after a number, in order; those of about `limit` chunks at a time, which
    /// must be at least as many as there are streams.
    pub(crate) async fn lines_after(
        &self,
        task: TaskId,
        epoch: u32,
        after: u64,
        only: Option<Stream>,
        limit: u64,
    ) -> Result<Read, StoreError> {
        use row::chunk::Column as C;
        let mut query = row::chunk::Entity::find()
            .filter(C::TaskId.eq(task.0))
            .filter(C::Epoch.eq(i64::from(epoch)))
            .filter(C::BatchLast.gt(i64::try_from(after).unwrap_or(i64::MAX)))
            .order_by_asc(C::BatchFirst)
            .limit(limit);
        if let Some(stream) = only {
            query = query.filter(C::Stream.eq(stream.as_str()));
        }
        let mut rows = query.all(self.reader()).await?;
        let more = rows.len() as u64 >= limit;
        // The streams of one batch belong together: a batch that the limit cut through waits for the next read.
        if more
            && let Some(last) = rows.last().map(|row| row.batch_first)
            && rows.first().map(|row| row.batch_first) != Some(last)
        {
            rows.retain(|row| row.batch_first != last);
        }
        let mut found = Vec::new();
        for row in &rows {
            found.append(&mut lines(row)?);
        }
        found.retain(|line| line.last_seq > after);
        found.sort_by_key(|line| line.seq);
        let through = rows.iter().map(|row| row.batch_last).max().and_then(|last| u64::try_from(last).ok());
        Ok(Read { lines: found, through: through.unwrap_or(after), more })
    }

    /// What is kept of an attempt's output, without the data.
    pub(crate) async fn chunks(&self, task: TaskId) -> Result<Vec<Chunk>, StoreError> {
        use row::chunk::Column as C;
        type Row = (i64, i64, String, i64, i64, i64);
        let rows: Vec<Row> = row::chunk::Entity::find()
            .select_only()
            .columns([C::Epoch, C::BatchFirst, C::Stream, C::Bytes, C::HasCr, C::Thinned])
            .filter(C::TaskId.eq(task.0))
            .order_by_asc(C::Epoch)
            .order_by_asc(C::BatchFirst)
            .into_tuple()
            .all(self.reader())
            .await?;
        let number = |n: i64| u64::try_from(n).map_err(|error| StoreError::corrupt(task, error));
        rows.into_iter()
            .map(|(epoch, first, stream, bytes, has_cr, thinned)| {
                Ok(Chunk {
                    epoch: count(epoch)?,
                    stream: word(&stream)?,
                    first: number(first)?,
                    bytes: number(bytes)?,
                    has_cr: has_cr != 0,
                    thinned: thinned != 0,
                })
            })
            .collect()
    }

    /// The records of one chunk, and the last number of the batch it came in.
    pub(crate) async fn chunk_records(&self, task: TaskId, key: ChunkKey) -> Result<Option<Stored>, StoreError> {
        let found = row::chunk::Entity::find_by_id((
            task.0,
            i64::from(key.epoch),
            i64::try_from(key.first).unwrap_or(i64::MAX),
            key.stream.as_str().to_owned(),
        ))
        .one(self.reader())
        .await?;
        let Some(row) = found else { return Ok(None) };
        let mut records = Vec::new();
        for line in lines(&row)? {
            if let Ok(FollowRecord::Output { record, .. }) = serde_json::from_slice(&line.json) {
                records.push(record);
            }
        }
        let batch_last = u64::try_from(row.batch_last).map_err(|error| StoreError::corrupt(task, error))?;
        Ok(Some(Stored { records, batch_last, bytes: row.bytes }))
    }
}

/// A chunk that was read back.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) records: Vec<Record>,
    pub(crate) batch_last: u64,
    pub(crate) bytes: i64,
}

/// Replaces a chunk by what is left of its records; says how many bytes that frees.
pub(crate) fn replace_chunk(commit: &mut Commit, task: TaskId, key: ChunkKey, was: &Stored, left: &[Record]) -> i64 {
    delete_chunk(commit, task, key);
    let all: Vec<&Record> = left.iter().collect();
    let model = chunk(task, key.epoch, (key.first, was.batch_last), key.stream, &all, true);
    let freed = was.bytes - model.bytes;
    commit.rows.chunks.push(model);
    freed
}

/// Removes a chunk.
pub(crate) fn delete_chunk(commit: &mut Commit, task: TaskId, key: ChunkKey) {
    use row::chunk::Column as C;
    commit.deletes.push(
        Query::delete()
            .from_table(row::chunk::Entity)
            .and_where(Expr::col(C::TaskId).eq(task.0))
            .and_where(Expr::col(C::Epoch).eq(i64::from(key.epoch)))
            .and_where(Expr::col(C::BatchFirst).eq(i64::try_from(key.first).unwrap_or(i64::MAX)))
            .and_where(Expr::col(C::Stream).eq(key.stream.as_str()))
            .to_owned(),
    );
}

/// Counts what pruning freed.
pub(crate) fn freed(commit: &mut Commit, output: &row::output::Model, bytes: i64) {
    use row::output::Column as C;
    let kept = if bytes < output.kept_bytes { output.kept_bytes - bytes } else { 0 };
    commit.guards.push(Guard::Output(TaskId(output.task_id), output.version));
    let change = Change::of("task_output", C::TaskId, output.task_id).next(output.version).set(C::KeptBytes, kept);
    commit.changes.push(change);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_holds_the_lines_that_followers_read() {
        let task = TaskId::new();
        let record = |seq, data| Record {
            seq,
            stream: Stream::Stderr,
            at: ffleet_protocol::Timestamp::UNIX_EPOCH,
            data,
            end: Some(LineEnd::Lf),
        };
        let records = [record(3, Data::Text("a\"b".to_owned())), record(4, Data::B64("AA==".to_owned()))];
        let row = chunk(task, 2, (3, 4), Stream::Stderr, &records.iter().collect::<Vec<_>>(), false);
        let read = lines(&row).unwrap();
        assert_eq!(read.iter().map(|line| (line.seq, line.last_seq)).collect::<Vec<_>>(), [(3, 3), (4, 4)]);
        for (line, record) in read.iter().zip(records) {
            let followed = FollowRecord::Output { task, epoch: 2, record };
            assert_eq!(line.json, to_json(&followed) + "\n");
        }
    }
}
