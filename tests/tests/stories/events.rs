//! Being told: the event stream, the doorbell, and what machines ask for.

use ffleet_protocol::{
    state::{JobStatus, TaskStatus},
    topic::Topic,
};
use ffleet_tests::{Fleet, job};
use futures_util::StreamExt;

#[tokio::test]
async fn events_tell_a_jobs_life_in_order_and_can_be_taken_up_again() {
    let fleet = Fleet::start().await;
    let mut events = fleet.api().events(None).await.unwrap();
    let hand = fleet.hand("by-hand", 1).await;
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let held = hand.take().await;
    hand.finish(&held, 0).await.unwrap();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|event: &ffleet_protocol::event::Event| event.to != TaskStatus::Completed) {
        let next = tokio::time::timeout(ffleet_tests::PATIENCE, events.next()).await.unwrap();
        let event = next.unwrap().unwrap();
        assert_eq!(event.job, id);
        if !seen.iter().any(|old: &ffleet_protocol::event::Event| old.id == event.id) {
            seen.push(event);
        }
    }
    use TaskStatus::{Assigned, Completed, Pending, Running};
    assert_eq!(seen.iter().map(|event| event.to).collect::<Vec<_>>(), [Pending, Assigned, Running, Completed]);

    let mut rest = fleet.api().events(Some(seen[1].id)).await.unwrap();
    let mut told = Vec::new();
    while told.last() != Some(&seen[3].id) {
        told.push(rest.next().await.unwrap().unwrap().id);
    }
    assert_eq!(told, [seen[2].id, seen[3].id]);
}

#[tokio::test]
async fn a_watch_misses_nothing_between_looking_and_waiting() {
    let fleet = Fleet::start().await;
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let topics = [Topic::Job(id)];
    let cursor = fleet.api().watch(&topics, None).await.unwrap().cursor;
    // It happens while nobody waits.
    fleet.api().cancel(id).await.unwrap();
    let answer = fleet.api().watch(&topics, Some(&cursor)).await.unwrap();
    assert_eq!(answer.topics, topics);
}

#[tokio::test]
async fn a_watch_is_rung_by_another_coordinator() {
    let fleet = Fleet::setup().coordinators(2).start().await;
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let second = fleet.api_at(1, "studio");
    let topics = [Topic::Job(id)];
    let cursor = second.watch(&topics, None).await.unwrap().cursor;
    let first = fleet.api_at(0, "studio");
    let (rung, canceled) = tokio::join!(second.watch(&topics, Some(&cursor)), first.cancel(id));
    assert_eq!(canceled.unwrap().status, JobStatus::Canceled);
    assert_eq!(rung.unwrap().topics, topics);
}

#[tokio::test]
async fn two_coordinators_are_one() {
    let fleet = Fleet::setup().coordinators(2).start().await;
    fleet.worker("box").await;
    let go = fleet.gate("go");
    let id = fleet.submit(&job(["-fake-say", "up", "-fake-gate", &go.template()])).await;
    fleet.wait(id).until_says("up").await;
    // The worker, the follower and the client all go on at the other one.
    fleet.coordinators()[0].kill9().await;
    go.open();
    fleet.wait(id).until(JobStatus::Completed).await;
    assert_eq!(fleet.job(id).await.tasks[0].epoch, 1);
    fleet.coordinators()[0].restart().await;
}

#[tokio::test]
async fn a_leaving_coordinator_answers_those_who_wait() {
    let fleet = Fleet::start().await;
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let waiting = fleet.ffleet(["job", "attach", &id.to_string()]).start();
    let hand = fleet.hand("waits-for-work", 1).await;
    let held = hand.take().await;
    fleet.wait(id).until(JobStatus::Running).await;
    // A long poll and a followed stream are open; neither may hold it up.
    let topics = [Topic::Job(id)];
    let cursor = fleet.api().watch(&topics, None).await.unwrap().cursor;
    let impatient = fleet.api().with_deadline(std::time::Duration::ZERO);
    let process = fleet.coordinator().process();
    let (ended, _) = tokio::join!(process.term(), impatient.watch(&topics, Some(&cursor)));
    assert!(ended.success(), "{ended}");
    fleet.coordinator().restart().await;
    hand.finish(&held, 0).await.unwrap();
    let _ = ffleet_tests::Ran::of(&waiting).await.expect(0);
}
