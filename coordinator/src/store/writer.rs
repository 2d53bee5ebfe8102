//! SQLite's one writer. It gathers what is waiting into one `BEGIN IMMEDIATE` transaction and answers everybody after the
//! commit, so that a sync of the disk is shared by all who wait for it (group commit).

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{
    Meter, StoreError,
    checkpoint::{Large, checkpoint},
    commit::Commit,
    guards,
    health::Health,
    sqlite::Sqlite,
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

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the writer over a connection that nobody else uses. It ends when the last `Writer` is dropped.
    pub(crate) fn start(connection: Connection, meter: Arc<Meter>, large: Large) -> Result<Self, StoreError> {
        let (queue, asked) = mpsc::channel(QUEUE);
        let health = Arc::<Health>::default();
        let writing = Writing { db: Sqlite::new(connection, Arc::clone(&meter)), meter, health: Arc::clone(&health) };
        thread::Builder::new()
            .name("database writer".to_owned())
            .spawn(move || writing.run(&large, asked))
            .map_err(|error| StoreError::Unavailable(format!("no thread for the writer of the database: {error}")))?;
        Ok(Self { queue, health })
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

/// The writer's side.
struct Writing {
    db: Sqlite,
    meter: Arc<Meter>,
    health: Arc<Health>,
}

impl Writing {
    fn run(self, large: &Large, mut queue: mpsc::Receiver<Asked>) {
        while let Some(first) = queue.blocking_recv() {
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
            self.write(batch);
            if large.taken()
                && let Err(error) = checkpoint(&self.db.connection)
            {
                tracing::warn!(%error, "the database's log could not be begun anew");
            }
        }
    }

    /// Writes a batch; if it fails as a whole, each commit by itself, so that one that cannot be written harms no other.
    fn write(&self, batch: Vec<Asked>) {
        let (commits, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|asked| (asked.commit, asked.answer)).unzip();
        if commits.len() > 1 {
            match self.transaction(&commits) {
                Ok(results) => return answers.into_iter().zip(results).for_each(|(to, result)| drop(to.send(result))),
                Err(error) => {
                    tracing::warn!(%error, commits = commits.len(), "a batch failed; writing one by one");
                }
            }
        }
        for (commit, to) in commits.chunks(1).zip(answers) {
            let result = match self.transaction(commit) {
                Ok(mut results) => results.pop().unwrap_or(Ok(())),
                Err(error) => {
                    self.health.failed(&error, Instant::now());
                    Err(error)
                }
            };
            drop(to.send(result));
        }
    }

    /// Each commit sees what those before it have written.
    fn transaction(&self, commits: &[Commit]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let mut results = Vec::with_capacity(commits.len());
        let mut written = Vec::with_capacity(commits.len());
        // Given up when it is dropped before its end.
        let transaction = Transaction::new_unchecked(&self.db.connection, TransactionBehavior::Immediate)?;
        for commit in commits {
            let broken = guards::broken(&self.db, &commit.guards)?;
            if broken.is_none() {
                self.db.write(commit)?;
                written.push(commit);
            }
            results.push(broken.map_or(Ok(()), |guard| Err(StoreError::Conflict(guard.what()))));
        }
        transaction.commit()?;
        self.meter.committed();
        let real = written.iter().any(|commit| commit.weight() > 1);
        if real || written.iter().any(|commit| commit.touch) {
            self.health.written(!real, Instant::now());
        }
        Ok(results)
    }
}
