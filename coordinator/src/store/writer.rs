//! SQLite's one writer. It gathers what is waiting into one `BEGIN IMMEDIATE` transaction and answers everybody after the
//! commit, so that a sync of the disk is shared by all who wait for it (group commit).

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    Meter, StoreError,
    checkpoint::{Large, checkpoint},
    commit::{Commit, insert_rows},
    guards::Facts,
    health::Health,
    updates,
};
use crate::sabotage;

/// Commits that wait for the writer; more than that and callers wait to be heard.
const QUEUE: usize = 4_096;
/// Work of one transaction; above this the next one begins, so that nobody waits long.
const BATCH_WEIGHT: usize = 4_096;

/// A commit that has waited for so long is not begun any more: readers of the events rely on ids that appear soon after
/// they were given.
const TOO_LATE: Duration = Duration::from_secs(5);

struct Asked {
    since: Instant,
    commit: Commit,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the writer.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Asked>,
    health: Arc<Health>,
}

/// What the writer writes to, and who hears of it.
struct Database {
    db: DatabaseConnection,
    meter: Arc<Meter>,
    health: Arc<Health>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the writer over a connection that nobody else uses. It ends when the last `Writer` is dropped.
    pub(crate) fn start(db: DatabaseConnection, meter: Arc<Meter>, large: Large) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE);
        let health = Arc::<Health>::default();
        tokio::spawn(run(Database { db, meter, health: Arc::clone(&health) }, large, asked));
        Self { queue, health }
    }

    /// What its writes have shown.
    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Commits. `Ok` means that it is on disk.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Unavailable("the writer of the database has stopped".to_owned());
        let hasty = sabotage::acknowledges_before_commit() && !commit.rows.jobs.is_empty();
        self.queue.send(Asked { since: Instant::now(), commit, answer }).await.map_err(|_| gone())?;
        if hasty {
            return Ok(());
        }
        answered.await.map_err(|_| gone())?
    }
}

async fn run(db: Database, large: Large, mut queue: mpsc::Receiver<Asked>) {
    while let Some(first) = queue.recv().await {
        let mut weight = first.commit.weight();
        let mut batch = vec![first];
        while weight < BATCH_WEIGHT {
            let Ok(next) = queue.try_recv() else { break };
            weight += next.commit.weight();
            batch.push(next);
        }
        let (late, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(|asked| asked.since.elapsed() > TOO_LATE);
        for asked in late {
            let busy = StoreError::Unavailable("the database was busy for too long".to_owned());
            drop(asked.answer.send(Err(busy)));
        }
        if !batch.is_empty() {
            write(&db, batch).await;
        }
        if large.taken()
            && let Err(error) = checkpoint(&db.db).await
        {
            tracing::warn!(%error, "the database's log could not be begun anew");
        }
    }
}

/// Writes a batch; if it fails as a whole, each commit by itself, so that one that cannot be written harms no other.
async fn write(db: &Database, batch: Vec<Asked>) {
    let (commits, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|asked| (asked.commit, asked.answer)).unzip();
    if commits.len() > 1 {
        match transaction(db, &commits).await {
            Ok(results) => return answers.into_iter().zip(results).for_each(|(to, result)| drop(to.send(result))),
            Err(error) => tracing::warn!(%error, commits = commits.len(), "a batch failed; writing one by one"),
        }
    }
    for (commit, to) in commits.chunks(1).zip(answers) {
        let result = match transaction(db, commit).await {
            Ok(mut results) => results.pop().unwrap_or(Ok(())),
            Err(error) => {
                let error = error.into();
                db.health.failed(&error, Instant::now());
                Err(error)
            }
        };
        drop(to.send(result));
    }
}

async fn transaction(db: &Database, commits: &[Commit]) -> Result<Vec<Result<(), StoreError>>, DbErr> {
    let mode = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = db.db.begin_with_options(mode).await?;
    // All guards are decided first; then what survives is written together.
    let mut facts = Facts::read(&tx, commits).await?;
    let mut admitted = Vec::with_capacity(commits.len());
    let mut results = Vec::with_capacity(commits.len());
    for commit in commits {
        results.push(facts.admit(commit).map_err(StoreError::Conflict));
        if let Some(Ok(())) = results.last() {
            admitted.push(commit);
        }
    }
    apply(&tx, &admitted).await?;
    tx.commit().await?;
    db.meter.committed();
    if !admitted.is_empty() {
        let real = admitted.iter().any(|commit| commit.weight() > 1);
        if real || admitted.iter().any(|commit| commit.touch) {
            db.health.written(!real, Instant::now());
        }
    }
    Ok(results)
}

async fn apply(tx: &DatabaseTransaction, commits: &[&Commit]) -> Result<(), DbErr> {
    updates::run(tx, commits).await?;
    for delete in commits.iter().flat_map(|commit| &commit.deletes) {
        tx.execute(delete).await?;
    }
    for insert in commits.iter().flat_map(|commit| &commit.inserts) {
        tx.execute(insert).await?;
    }
    if commits.iter().any(|commit| commit.touch) {
        // A number of SQLite's that is free for applications. An update that changes nothing would write nothing.
        tx.execute_unprepared(&format!("PRAGMA user_version = {}", rand::random_range(0..i32::MAX))).await?;
    }
    insert_rows(tx, commits).await
}
