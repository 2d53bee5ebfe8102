//! Several lanes that write at the same time. What comes while all are busy waits, and goes together.

use std::{
    collections::HashSet,
    mem::take,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    super::{
        Meter, StoreError,
        commit::{Commit, Guard},
        health::Health,
    },
    lane::Lane,
    link::Target,
    statements::subjects,
};

/// Commits that wait; more than that and callers wait to be heard.
const QUEUE: usize = 4_096;
/// Work of one transaction. On a cluster, what is written together also fails together.
const BATCH_WEIGHT: usize = 512;
/// A commit that has waited for so long is not begun any more: readers of the events rely on rows that appear soon after
/// they were stamped.
const TOO_LATE: Duration = Duration::from_secs(5);
/// So long do commits that are in no hurry wait for each other. A thousand idle workers are one transaction then, not a
/// hundred, each with a sync of its own.
const NO_HURRY: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Asked {
    since: Instant,
    commit: Commit,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the lanes.
#[derive(Debug, Clone)]
pub(in crate::store) struct Writer {
    queue: mpsc::Sender<Vec<Asked>>,
    unhurried: Arc<Mutex<Vec<Asked>>>,
    health: Arc<Health>,
}

impl Writer {
    /// Starts so many lanes. They end when the last `Writer` is dropped.
    pub(in crate::store) fn start(target: Arc<Target>, lanes: usize, meter: Arc<Meter>) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE);
        let health = Arc::<Health>::default();
        tokio::spawn(serve(target, lanes, meter, health.clone(), asked));
        Self { queue, unhurried: Arc::default(), health }
    }

    /// What its writes have shown.
    pub(in crate::store) fn health(&self) -> &Health {
        &self.health
    }

    /// Commits. `Ok` means that the server says it is durable.
    pub(in crate::store) async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Unavailable("writing to the database has stopped".to_owned());
        let unhurried = commit.unhurried;
        let asked = Asked { since: Instant::now(), commit, answer };
        if unhurried {
            self.gather(asked);
        } else {
            self.queue.send(vec![asked]).await.map_err(|_| gone())?;
        }
        answered.await.map_err(|_| gone())?
    }

    /// Keeps a commit until others have come; the first one sees to it that all are sent.
    fn gather(&self, asked: Asked) {
        let mut waiting = self.unhurried.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(asked);
        if waiting.len() == 1 {
            let writer = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(NO_HURRY).await;
                let all = take(&mut *writer.unhurried.lock().unwrap_or_else(PoisonError::into_inner));
                // Where nobody writes any more, whoever waits is told so.
                let _ = writer.queue.send(all).await;
            });
        }
    }
}

async fn serve(
    target: Arc<Target>,
    lanes: usize,
    meter: Arc<Meter>,
    health: Arc<Health>,
    mut queue: mpsc::Receiver<Vec<Asked>>,
) {
    let (free, mut idle) = mpsc::channel(lanes);
    for _ in 0..lanes {
        // There is room for all of them.
        let _ = free.try_send(Lane::new(target.clone(), meter.clone()));
    }
    while let Some(lane) = idle.recv().await {
        let Some(mut batch) = queue.recv().await else { return };
        while batch.iter().map(|asked| asked.commit.weight()).sum::<usize>() < BATCH_WEIGHT {
            let Ok(mut next) = queue.try_recv() else { break };
            batch.append(&mut next);
        }
        let (free, health) = (free.clone(), health.clone());
        let fresh = Lane::new(target.clone(), meter.clone());
        tokio::spawn(async move {
            // A lane that has panicked is replaced: with fewer and fewer of them, writing would end without a word.
            let lane = tokio::spawn(write(lane, batch, health)).await.unwrap_or(fresh);
            let _ = free.send(lane).await;
        });
    }
}

/// Writes a batch, in rounds of commits that are about different rows.
async fn write(mut lane: Lane, batch: Vec<Asked>, health: Arc<Health>) -> Lane {
    let (late, mut left): (Vec<_>, Vec<_>) = batch.into_iter().partition(|asked| asked.since.elapsed() > TOO_LATE);
    for asked in late {
        drop(asked.answer.send(Err(StoreError::Unavailable("the database was busy for too long".to_owned()))));
    }
    while !left.is_empty() {
        let mut subjects_of_round: HashSet<Guard> = HashSet::new();
        let (round, next): (Vec<_>, Vec<_>) = left.into_iter().partition(|asked| {
            let own = subjects(&asked.commit);
            let apart = own.is_disjoint(&subjects_of_round);
            subjects_of_round.extend(own);
            apart
        });
        left = next;
        let since = round.iter().map(|asked| asked.since).max().unwrap_or_else(Instant::now);
        let (commits, answers): (Vec<_>, Vec<_>) = round.into_iter().map(|asked| (asked.commit, asked.answer)).unzip();
        let mut answers: Vec<Option<_>> = answers.into_iter().map(Some).collect();
        let all: Vec<&Commit> = commits.iter().collect();
        let told = |index: usize, result: Result<(), StoreError>| {
            match (&result, all.get(index)) {
                (Ok(()), Some(commit)) if commit.weight() > 1 || commit.touch => {
                    health.written(commit.weight() == 1, Instant::now());
                }
                (Err(error), _) => health.failed(error, Instant::now()),
                (Ok(()), _) => {}
            }
            if let Some(answer) = answers.get_mut(index).and_then(Option::take) {
                drop(answer.send(result));
            }
        };
        lane.write(&all, since, told).await;
    }
    lane
}
