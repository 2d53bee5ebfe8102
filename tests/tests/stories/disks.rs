//! Disks that are full.

use ffleet_protocol::{
    job::JobFilter,
    log::{Data, DropReason, FollowRecord},
    problem::Code,
    state::JobStatus,
};
use ffleet_tests::{Fleet, SmallDisk, WorkerSetup, job, stderr_text};
use serde_json::Value;

/// Whether the coordinator says that it is ready, as load balancers ask it.
async fn ready(fleet: &Fleet) -> (bool, Value) {
    let (status, body) = fleet.coordinator().asked("/health/ready").await;
    (status == 200, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn a_database_on_a_full_disk_says_so_loses_nothing_and_recovers() {
    let fleet = Fleet::setup().small_database().start().await;
    let disk = fleet.database_disk();
    let hand = fleet.hand("by-hand", 4).await;
    let big = || job(["-fake-say", &"x".repeat(100_000)]);
    let mut acknowledged = vec![fleet.submit(&job(["-fake-hang"])).await];
    let held = hand.take().await;
    assert!(ready(&fleet).await.0);

    disk.fill(fleet.coordinator().process().pid());
    let once = fleet.api().with_deadline(std::time::Duration::ZERO);
    let mut n = 0;
    let refused = loop {
        n += 1;
        assert!(n < 1_000, "the disk does not become full");
        match once.submit(&big(), &format!("big-{n}")).await {
            Ok(submitted) => acknowledged.push(submitted.id),
            Err(error) => break error,
        }
    };
    let problem = refused.problem().unwrap_or_else(|| panic!("{refused}"));
    assert_eq!((problem.code.as_str(), problem.status), (Code::Unavailable.as_str(), 503));
    assert!(problem.detail.contains("full"), "{}", problem.detail);
    let (is_ready, checks) = ready(&fleet).await;
    assert!(!is_ready, "{checks}");
    // Reading goes on.
    for id in &acknowledged {
        fleet.job(*id).await;
    }

    disk.free();
    let after = fleet.api().submit(&big(), &format!("big-{n}")).await.unwrap().id;
    acknowledged.push(after);
    assert!(ready(&fleet).await.0, "it recovers by itself");
    hand.finish(&held, 0).await.unwrap();
    // And nothing was only in its memory.
    fleet.coordinator().kill9().await;
    fleet.coordinator().restart().await;
    let page = fleet.chief().jobs(&JobFilter { limit: Some(1_000), ..JobFilter::default() }).await.unwrap();
    let mut there: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
    there.sort();
    acknowledged.sort();
    assert_eq!(there, acknowledged, "what was acknowledged, and nothing else");
    fleet.cancel_all().await;
}

#[tokio::test]
async fn an_encode_goes_on_when_the_spools_disk_is_full_and_the_loss_is_named() {
    let fleet = Fleet::start().await;
    let home = fleet.dir().join("small");
    let disk = SmallDisk::at(&home, 4);
    let config = "[stop]\nforced_s = 1\n[spool]\nmemory_bytes = 65536\n";
    let worker = fleet.worker_with(WorkerSetup::new("box").state_dir(&home).config(config)).await;
    let (up, go, over) = (fleet.gate("up"), fleet.gate("go"), fleet.gate("over"));
    let steps = ["-fake-say", "up", "-fake-touch", &up.template(), "-fake-gate", &go.template()];
    let rest = ["-fake-flood", "6000000", "-fake-touch", &over.template(), "-fake-say", "after the flood"];
    let id = fleet.submit(&job(steps.into_iter().chain(rest))).await;
    fleet.wait(id).until_says("up").await;
    // Nobody takes the output, so it has to go to the disk, which is full.
    fleet.coordinator().kill9().await;
    disk.fill(worker.process().pid());
    go.open();
    over.opened().await;
    disk.free();
    fleet.coordinator().restart().await;
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!(end.tasks[0].epoch, 1);
    let seen = fleet.wait(id).everything().await;
    let mut next = 1;
    let mut lost = Vec::new();
    for record in &seen {
        if let FollowRecord::Output { record, .. } = record {
            assert_eq!(record.seq, next);
            next = record.last_seq() + 1;
            if let Data::Dropped(dropped) = &record.data {
                lost.push(dropped.reason);
            }
        }
    }
    assert_eq!(lost, [DropReason::SpoolFull], "one loss, and why");
    assert_eq!(next - 1, 6_000_000 / 80 + 2, "every line is there or named as lost");
    assert_eq!(stderr_text(&seen).last().map(String::as_str), Some("after the flood"));
}

#[tokio::test]
async fn a_worker_that_lost_its_spool_says_so() {
    let fleet = Fleet::start().await;
    let worker = fleet.worker("box").await;
    let (go, over) = (fleet.gate("go"), fleet.gate("over"));
    let steps = ["-fake-lines", "20", "-fake-gate", &go.template(), "-fake-lines", "20"];
    let id = fleet.submit(&job(steps.into_iter().chain(["-fake-touch", &over.template()]))).await;
    fleet.wait(id).until_says("line 20").await;
    fleet.coordinator().kill9().await;
    go.open();
    over.opened().await;
    worker.keeps_a_report().await;
    worker.kill9().await;
    assert_eq!(worker.lose_spools(), 1, "what could not be sent lay on its disk");
    fleet.coordinator().restart().await;
    worker.restart().await;
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!(end.tasks[0].attempts.len(), 1, "the end itself was kept");
    let seen = fleet.wait(id).everything().await;
    let told: Vec<_> = seen
        .iter()
        .filter_map(|record| match record {
            FollowRecord::Output { record, .. } => match &record.data {
                Data::Dropped(dropped) => Some((record.seq, dropped.to, dropped.reason)),
                Data::Text(_) | Data::B64(_) => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(told, [(21, 40, DropReason::SpoolLost)]);
}
