//! Workers that are thought dead and are not.

use ffleet_protocol::{job::AttemptEnd, state::JobStatus};
use ffleet_tests::{Answered, Fleet, Proxy, SHORT_LEASES, Way, WorkerSetup, job};

/// What a worker was answered about its tasks, from the given answer on.
fn reports(proxy: &Proxy, from: usize) -> Vec<Answered> {
    let mut answers = proxy.answers().split_off(from);
    answers.retain(|answer| answer.path.starts_with("/v1/tasks/"));
    answers
}

#[tokio::test]
async fn a_worker_that_stood_still_beyond_its_lease_is_refused_and_the_heirs_result_stands() {
    let fleet = Fleet::setup().config(SHORT_LEASES).proxies(1).start().await;
    let proxy = fleet.proxy(0);
    let frozen = fleet.worker_with(WorkerSetup::new("frozen").slots(2).via(proxy)).await;
    let (ends, stays, over) = (fleet.gate("ends"), fleet.gate("stays"), fleet.gate("over"));
    // One program ends while its worker stands still, the other one runs on.
    let steps = |gate: &ffleet_tests::Gate, word: &str| {
        let gate = gate.template();
        let words =
            ["-fake-say", "up", "-fake-gate", &gate, "-fake-say", "after", "-fake-append", &over.template(), word]
                .map(str::to_owned);
        job(words)
    };
    let (short, long) = (fleet.submit(&steps(&ends, "short")).await, fleet.submit(&steps(&stays, "long")).await);
    for id in [short, long] {
        fleet.wait(id).until_says("up").await;
    }
    frozen.process().stop();
    ends.open();
    over.opened().await;
    for id in [short, long] {
        fleet.wait(id).until_attempt_ended(1).await;
    }
    fleet.worker_with(WorkerSetup::new("heir").slots(2)).await;
    for id in [short, long] {
        assert_eq!(fleet.wait(id).until_attempt(2).await, "heir");
    }
    let before = proxy.answers().len();
    frozen.process().cont();
    // Its own program is gone though its gate is still shut; the heir's, under another mount, is not.
    fleet.gone("mnt-frozen").await;
    stays.open();
    for id in [short, long] {
        let end = fleet.wait(id).until(JobStatus::Completed).await;
        let task = &end.tasks[0];
        assert_eq!((task.epoch, task.crashes, task.failures), (2, 1, 0));
        let ends: Vec<_> = task.attempts.iter().map(|attempt| (attempt.worker.to_string(), attempt.end)).collect();
        let lapsed = ("frozen".to_owned(), Some(AttemptEnd::Lapsed));
        assert_eq!(ends, [lapsed, ("heir".to_owned(), Some(AttemptEnd::Completed))]);
    }
    // It is well again: it takes the next task, and until then nothing it said about the old ones was believed.
    fleet.wait(fleet.submit(&job(["-fake-say", "new"])).await).until(JobStatus::Completed).await;
    let tasks = [fleet.job(short).await.tasks[0].id, fleet.job(long).await.tasks[0].id].map(|id| id.to_string());
    for answer in reports(proxy, before).iter().filter(|answer| tasks.iter().any(|task| answer.path.contains(task))) {
        assert_eq!(answer.status, 409, "{answer:?}");
    }
    let mut words: Vec<_> = over.text().lines().map(str::to_owned).collect();
    words.sort();
    assert_eq!(words, ["long", "short", "short"], "each heir ran, and so had the one that nobody could hear");
}

#[tokio::test]
async fn a_worker_that_is_cut_off_stops_and_its_late_words_change_nothing() {
    let fleet = Fleet::setup().config(SHORT_LEASES).proxies(1).start().await;
    let proxy = fleet.proxy(0);
    fleet.worker_with(WorkerSetup::new("cut-off").via(proxy)).await;
    let go = fleet.gate("go");
    let id = fleet.submit(&job(["-fake-say", "up", "-fake-gate", &go.template(), "-fake-say", "done"])).await;
    fleet.wait(id).until_says("up").await;
    // What it says from now on arrives when the cable is mended.
    proxy.hold(&[Way::Request, Way::Answer]);
    fleet.gone("mnt-cut-off").await;
    fleet.wait(id).until_attempt_ended(1).await;
    fleet.worker("heir").await;
    assert_eq!(fleet.wait(id).until_attempt(2).await, "heir");
    proxy.heal();
    assert!(proxy.faults().held > 0, "{:?}", proxy.faults());
    go.open();
    let end = fleet.wait(id).until(JobStatus::Completed).await;
    let ends: Vec<_> = end.tasks[0].attempts.iter().map(|attempt| attempt.end).collect();
    assert_eq!(ends, [Some(AttemptEnd::Lapsed), Some(AttemptEnd::Completed)]);
    // It comes back by itself.
    let next = fleet.submit(&ffleet_tests::spec(["-fake-say", "x"], serde_json::json!({}))).await;
    fleet.wait(next).until(JobStatus::Completed).await;
}
