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

use super::{StoreError, commit::Commit, guards::Facts, health::Health};
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

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the writer over a connection that nobody else uses. It ends when the last `Writer` is dropped.
    pub(crate) fn start(db: DatabaseConnection) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE);
        let health = Arc::<Health>::default();
        tokio::spawn(run(db, asked, Arc::clone(&health)));
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

async fn run(db: DatabaseConnection, mut queue: mpsc::Receiver<Asked>, health: Arc<Health>) {
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
            write(&db, batch, &health).await;
        }
    }
}

/// Writes a batch; if it fails as a whole, each commit by itself, so that one that cannot be written harms no other.
async fn write(db: &DatabaseConnection, batch: Vec<Asked>, health: &Health) {
    let (commits, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|asked| (asked.commit, asked.answer)).unzip();
    if commits.len() > 1 {
        match transaction(db, commits.clone(), health).await {
            Ok(results) => return answers.into_iter().zip(results).for_each(|(to, result)| drop(to.send(result))),
            Err(error) => tracing::warn!(%error, commits = commits.len(), "a batch failed; writing one by one"),
        }
    }
    for (commit, to) in commits.into_iter().zip(answers) {
        let result = match transaction(db, vec![commit], health).await {
            Ok(mut results) => results.pop().unwrap_or(Ok(())),
            Err(error) => {
                let error = error.into();
                health.failed(&error, Instant::now());
                Err(error)
            }
        };
        drop(to.send(result));
    }
}

async fn transaction(
    db: &DatabaseConnection,
    commits: Vec<Commit>,
    health: &Health,
) -> Result<Vec<Result<(), StoreError>>, DbErr> {
    let mode = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = db.begin_with_options(mode).await?;
    let (results, admitted) = decide(&tx, commits).await?;
    let Some(commit) = admitted else { return tx.commit().await.map(|()| results) };
    let (touch, real) = (commit.touch, commit.weight() > 1);
    apply(&tx, commit).await?;
    tx.commit().await?;
    if touch || real {
        health.written(!real, Instant::now());
    }
    Ok(results)
}

/// Decides all guards first, then joins what survives into one commit: its inserts go out together.
async fn decide(
    tx: &DatabaseTransaction,
    commits: Vec<Commit>,
) -> Result<(Vec<Result<(), StoreError>>, Option<Commit>), DbErr> {
    let mut facts = Facts::read(tx, &commits.iter().collect::<Vec<_>>()).await?;
    let mut all: Option<Commit> = None;
    let mut results = Vec::with_capacity(commits.len());
    for commit in commits {
        match facts.admit(&commit) {
            Ok(()) => {
                all.get_or_insert_default().join(commit);
                results.push(Ok(()));
            }
            Err(what) => results.push(Err(StoreError::Conflict(what))),
        }
    }
    Ok((results, all))
}

async fn apply(tx: &DatabaseTransaction, commit: Commit) -> Result<(), DbErr> {
    for update in &commit.updates {
        // The guards held, so the row is there. Should it not be, half a decision must not be written.
        if tx.execute(update).await?.rows_affected() == 0 {
            return Err(DbErr::RecordNotUpdated);
        }
    }
    for delete in &commit.deletes {
        tx.execute(delete).await?;
    }
    for insert in &commit.inserts {
        tx.execute(insert).await?;
    }
    if commit.touch {
        // A number of SQLite's that is free for applications. An update that changes nothing would write nothing.
        tx.execute_unprepared(&format!("PRAGMA user_version = {}", rand::random_range(0..i32::MAX))).await?;
    }
    commit.rows.insert(tx).await
}
