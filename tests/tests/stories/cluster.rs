//! A cluster of databases that loses nodes, its quorum, and everything, while jobs run.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ffleet_client::RetryOptions;
use ffleet_protocol::{id::JobId, state::JobStatus};
use ffleet_tests::{Cluster, Fleet, PATIENCE, WorkerSetup, job};
use tokio::{sync::watch, task::spawn_blocking};

/// Long enough for any outage here. Nobody should have to notice one.
const PATIENT: Duration = Duration::from_secs(150);

/// Does something to the cluster, which takes its time.
async fn so(cluster: &'static Cluster, act: impl FnOnce(&Cluster) + Send + 'static) {
    spawn_blocking(move || act(cluster)).await.unwrap();
}

#[tokio::test]
async fn nodes_die_stand_still_and_are_cut_off_and_nothing_acknowledged_is_lost() {
    let cluster: &'static Cluster = spawn_blocking(|| Box::leak(Box::new(Cluster::start()))).await.unwrap();
    let url = spawn_blocking(|| cluster.database()).await.unwrap();
    let fleet = Fleet::setup().database_at([url]).coordinators(2).start().await;
    for name in ["left", "right"] {
        fleet.worker_with(WorkerSetup::new(name).slots(4)).await;
    }
    let (acknowledged, over) = (watch::Sender::new(Vec::<JobId>::new()), AtomicBool::new(false));
    let submitting = async {
        let api = fleet.api().with_deadline(PATIENT);
        let mut n = 0;
        while !over.load(Ordering::Relaxed) {
            // Each runs for about a second, so that some always do.
            let id = api.submit(&job(["-fake-slow", "10:100"]), &format!("key-{n}")).await.unwrap().id;
            acknowledged.send_modify(|all| all.push(id));
            n += 1;
            tokio::task::yield_now().await;
        }
    };
    // Some more are acknowledged: the installation works.
    let goes_on = async || {
        let mut all = acknowledged.subscribe();
        let wanted = all.borrow().len() + 5;
        let _ = tokio::time::timeout(PATIENT, all.wait_for(|all| all.len() >= wanted)).await.unwrap().unwrap();
    };
    let nodes = cluster.galera.nodes();
    let faults = async {
        goes_on().await;
        so(cluster, |cluster| cluster.galera.nodes()[0].pause()).await;
        goes_on().await;
        so(cluster, |cluster| cluster.galera.nodes()[0].resume()).await;
        so(cluster, |cluster| cluster.galera.wait_synced()).await;
        // Whichever is in use now: one of these is it.
        for n in [1, 0] {
            so(cluster, move |cluster| cluster.galera.nodes()[n].kill9()).await;
            goes_on().await;
            so(cluster, move |cluster| cluster.galera.nodes()[n].restart()).await;
        }
        so(cluster, |cluster| cluster.galera.nodes()[2].isolate()).await;
        goes_on().await;
        so(cluster, |cluster| cluster.galera.nodes()[2].rejoin()).await;
        so(cluster, |cluster| cluster.galera.wait_synced()).await;
        // No quorum: who asks is told to come back, and what was asked is done when it can be.
        for n in [0, 1] {
            nodes[n].pause();
        }
        let once = RetryOptions { deadline: Duration::ZERO, ..RetryOptions::default() };
        let impatient = fleet.api().with_retry(once);
        let told = async { while impatient.status().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, told).await.expect("somebody is told");
        for n in [0, 1] {
            nodes[n].resume();
        }
        goes_on().await;
        // And all of them at once.
        so(cluster, |cluster| {
            for node in cluster.galera.nodes() {
                node.kill9();
            }
            cluster.galera.bootstrap();
        })
        .await;
        goes_on().await;
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(submitting, faults);
    let all = acknowledged.borrow().clone();
    for id in &all {
        fleet.wait(*id).until(JobStatus::Completed).await;
    }
    println!("{} jobs acknowledged, all completed", all.len());
}
