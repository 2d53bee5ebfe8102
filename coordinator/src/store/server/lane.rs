//! One of several connections that write. What waits is written together, in one transaction; when that does not work, each
//! commit by itself, so that one that cannot be written harms no other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::Value;
use tokio::time::{sleep, timeout};

use super::{
    super::{
        Meter, StoreError,
        commit::{Commit, Conflicting},
        row::padded,
    },
    link::{Link, Nature, Purpose, Target, failed, nature},
    proof::landed,
    statements::{Step, looks, steps},
};

/// A transaction that takes longer is given up with its connection: readers of the events rely on rows that appear soon
/// after they were stamped.
const TRANSACTION: Duration = Duration::from_secs(5);
/// For so long after it was asked for, a commit is tried again when the server does not answer. Callers wait longer.
const GIVE_UP: Duration = Duration::from_secs(4);
/// How often a transaction that somebody was in the way of is run again.
const AGAIN: u32 = 8;

/// A connection that writes.
#[derive(Debug)]
pub(super) struct Lane {
    target: Arc<Target>,
    meter: Arc<Meter>,
    link: Option<Link>,
}

/// Why a transaction is not there, or may not be.
#[derive(Debug)]
enum Failure {
    /// Somebody else has written first.
    Lost(Conflicting),
    /// Somebody was in the way.
    Again(StoreError),
    /// The server did not take it.
    Refused(StoreError),
    /// Nobody knows: the answer to COMMIT has not come.
    Unknown(StoreError),
    /// It cannot be written.
    Fault(StoreError),
}

impl Lane {
    pub(super) fn new(target: Arc<Target>, meter: Arc<Meter>) -> Self {
        Self { target, meter, link: None }
    }

    /// Writes commits that are about different rows; `done` is told of each.
    pub(super) async fn write(
        &mut self,
        commits: &[&Commit],
        since: Instant,
        mut done: impl FnMut(usize, Result<(), StoreError>),
    ) {
        let mut unknown = false;
        if commits.len() > 1 {
            match self.transaction(commits).await {
                Ok(()) => {
                    self.tell_awaited(commits).await;
                    return (0..commits.len()).for_each(|index| done(index, Ok(())));
                }
                Err(failure) => {
                    tracing::debug!(?failure, commits = commits.len(), "a batch failed; writing one by one");
                    unknown = matches!(failure, Failure::Unknown(_));
                }
            }
        }
        for (index, commit) in commits.iter().enumerate() {
            let result = self.alone(commit, since, unknown).await;
            if result.is_ok() {
                self.tell_awaited(&[commit]).await;
            }
            done(index, result);
        }
    }

    /// Writes one commit, and does not rest before it is known whether it is there.
    async fn alone(&mut self, commit: &Commit, since: Instant, mut unknown: bool) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            if unknown {
                match self.landed(commit).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(error) => {
                        if since.elapsed() > GIVE_UP {
                            return Err(error);
                        }
                        pause().await;
                        continue;
                    }
                }
            }
            let (error, may_try) = match self.transaction(&[commit]).await {
                Ok(()) => return Ok(()),
                // What was in the way may be what an earlier try of ours has written.
                Err(Failure::Lost(_) | Failure::Fault(_)) if unknown && self.landed(commit).await? => return Ok(()),
                Err(Failure::Lost(what)) => return Err(StoreError::Conflict(what)),
                Err(Failure::Fault(error)) => return Err(error),
                Err(Failure::Again(error)) => {
                    tries += 1;
                    (error, tries < AGAIN)
                }
                Err(Failure::Refused(error)) => (error, since.elapsed() < GIVE_UP),
                Err(Failure::Unknown(error)) => {
                    unknown = true;
                    (error, since.elapsed() < GIVE_UP)
                }
            };
            if !may_try {
                return Err(error);
            }
            pause().await;
        }
    }

    async fn landed(&mut self, commit: &Commit) -> Result<bool, StoreError> {
        let target = self.target.clone();
        let asking = async {
            let mut link = match self.link.take() {
                Some(link) => link,
                None => Link::open(&target, Purpose::Plain).await?,
            };
            self.meter.asked();
            let found = landed(&mut link, commit).await?;
            self.link = Some(link);
            Ok(found)
        };
        match timeout(TRANSACTION, asking).await {
            Ok(found) => found.map_err(failed),
            Err(_) => Err(late()),
        }
    }

    async fn transaction(&mut self, commits: &[&Commit]) -> Result<(), Failure> {
        let backend = self.target.backend();
        let (steps, looks) = (steps(commits, backend), looks(commits));
        let (taken, committing) = (self.link.take(), AtomicBool::new(false));
        let running = run(&self.target, taken, &self.meter, &steps, &looks, &committing);
        let failed_at = |error: StoreError| {
            if committing.load(Ordering::Relaxed) { Failure::Unknown(error) } else { Failure::Refused(error) }
        };
        match timeout(TRANSACTION, running).await {
            Err(_) => Err(failed_at(late())),
            Ok((link, result)) => {
                self.link = link;
                result.map_err(|error| match error {
                    Ended::Lost(what) => Failure::Lost(what),
                    Ended::Fault(error) => Failure::Fault(error),
                    Ended::Asked(error) => match nature(&error) {
                        Nature::Again => Failure::Again(failed(error)),
                        Nature::Refusing => Failure::Refused(failed(error)),
                        Nature::Lost => failed_at(failed(error)),
                        Nature::NoRoom | Nature::Taken | Nature::Other => Failure::Fault(failed(error)),
                    },
                })
            }
        }
    }

    /// Whether tasks wait for the jobs that these commits have ended. Asked after the commit: what goes on at the same
    /// moment is not seen within it, and what begins later sees the end.
    async fn tell_awaited(&mut self, commits: &[&Commit]) {
        let awaited: Vec<_> = commits.iter().filter_map(|commit| commit.asks.as_ref()).collect();
        let jobs: Vec<Value> = awaited.iter().map(|awaited| awaited.job.0.into()).collect();
        if jobs.is_empty() {
            return;
        }
        let jobs = padded(&jobs);
        let places = vec!["?"; jobs.len()].join(", ");
        let sql = format!("SELECT DISTINCT job_id FROM task_deps WHERE job_id IN ({places})");
        self.meter.asked();
        let Some(mut link) = self.link.take() else {
            // Whoever asks looks, then.
            return awaited.iter().for_each(|awaited| awaited.found(true));
        };
        let found = match timeout(TRANSACTION, link.rows(&sql, jobs)).await {
            Ok(Ok(rows)) => {
                self.link = Some(link);
                let ids = rows.iter().map(|row| row.try_get_by_index::<uuid::Uuid>(0)).collect::<Result<Vec<_>, _>>();
                ids.ok()
            }
            Ok(Err(_)) | Err(_) => None,
        };
        for awaited in awaited {
            awaited.found(found.as_ref().is_none_or(|found| found.contains(&awaited.job.0)));
        }
    }
}

/// How a transaction ended that did not commit.
enum Ended {
    Lost(Conflicting),
    Fault(StoreError),
    Asked(sqlx::Error),
}

/// Runs the steps in a transaction; gives back the connection if it is still of use.
async fn run(
    target: &Target,
    link: Option<Link>,
    meter: &Meter,
    steps: &[Step],
    looks: &[Step],
    committing: &AtomicBool,
) -> (Option<Link>, Result<(), Ended>) {
    let mut link = match link {
        Some(link) => link,
        None => match Link::open(target, Purpose::Plain).await {
            Ok(link) => link,
            Err(error) => return (None, Err(Ended::Asked(error))),
        },
    };
    // A statement is a transaction by itself.
    let alone = looks.is_empty() && matches!(steps, [Step { rows: None | Some(1), .. }]);
    let result = async {
        if alone {
            committing.store(true, Ordering::Relaxed);
        } else {
            link.plain("BEGIN").await.map_err(Ended::Asked)?;
        }
        for step in steps {
            meter.asked();
            match link.run(&step.sql, step.values.clone()).await {
                Ok(met) if step.rows.is_none_or(|rows| rows == met) => {}
                Ok(_) => return Err(lost(step)),
                Err(error) if nature(&error) == Nature::Taken => return Err(lost(step)),
                Err(error) => return Err(Ended::Asked(error)),
            }
        }
        for look in looks {
            meter.asked();
            if link.rows(&look.sql, look.values.clone()).await.map_err(Ended::Asked)?.is_empty() {
                return Err(lost(look));
            }
        }
        if !alone {
            committing.store(true, Ordering::Relaxed);
            link.plain("COMMIT").await.map_err(Ended::Asked)?;
        }
        meter.committed();
        Ok(())
    }
    .await;
    let usable = match &result {
        Ok(()) => true,
        Err(Ended::Asked(error)) if nature(error) == Nature::Lost => false,
        Err(_) => alone || link.plain("ROLLBACK").await.is_ok(),
    };
    (usable.then_some(link), result)
}

fn lost(step: &Step) -> Ended {
    match step.loser {
        Some(what) => Ended::Lost(what),
        None => Ended::Fault(StoreError::Other(format!("not the rows that were expected: {}", step.sql).into())),
    }
}

fn late() -> StoreError {
    StoreError::Unavailable("the database took too long to answer".to_owned())
}

/// 5 to 200 ms: those who were in each other's way must not meet again.
async fn pause() {
    sleep(Duration::from_millis(rand::random_range(5..200))).await;
}
