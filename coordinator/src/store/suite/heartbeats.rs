//! What a large idle fleet writes.

use ffleet_protocol::Timestamp;
use futures_util::future::join_all;

use super::{conflict, newer, nodes::Nodes};
use crate::store::{Conflicting, Store, commit::Commit, workers::WorkerRow};

const WORKERS: usize = 40;

async fn registered(store: &Store, n: usize) -> WorkerRow {
    let now = store.now().await.unwrap();
    let new = WorkerRow { id: format!("idle-{n}").parse().unwrap(), ..newer::worker(now) };
    store.commit(new.commit()).await.unwrap();
    WorkerRow { version: 1, ..new }
}

/// A worker as its heartbeat leaves it, and the commit of that.
fn heard(worker: &WorkerRow, beat: u64, at: Timestamp) -> (WorkerRow, Commit) {
    let next = WorkerRow { beat, seen_at: at, ..worker.clone() };
    let commit = Commit { unhurried: true, ..next.since(worker) };
    (WorkerRow { version: worker.version + 1, ..next }, commit)
}

pub(super) async fn heartbeats_at_the_same_moment_are_few_transactions(store: &Nodes) {
    // One coordinator hears them all.
    let here: &Store = store;
    let workers = join_all((0..WORKERS).map(|n| registered(here, n))).await;
    let now = here.now().await.unwrap();
    let before = here.meter().commits();
    let beaten: Vec<_> = workers.iter().map(|worker| heard(worker, 2, now)).collect();
    let all = join_all(beaten.iter().map(|(_, commit)| here.commit(commit.clone()))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let commits = here.meter().commits() - before;
    assert!(commits < WORKERS as u64 / 4, "{commits} transactions for {WORKERS} heartbeats");

    // One of them was heard elsewhere meanwhile: that one is told, and nobody else is harmed.
    let (moved, _) = &beaten[7];
    store.commit(heard(moved, 9, now).1).await.unwrap();
    let all = join_all(beaten.iter().map(|(worker, _)| here.commit(heard(worker, 3, now).1))).await;
    for (n, result) in all.iter().enumerate() {
        assert_eq!(conflict(result), (n == 7).then_some(Conflicting::Worker), "worker {n}");
    }
    let beats = join_all(beaten.iter().map(|(worker, _)| store.worker(&worker.id))).await;
    let beats: Vec<u64> = beats.into_iter().map(|worker| worker.unwrap().unwrap().beat).collect();
    assert_eq!(beats, (0..WORKERS).map(|n| if n == 7 { 9 } else { 3 }).collect::<Vec<_>>());
}
