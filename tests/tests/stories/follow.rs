//! Following from a second terminal, and reading what was printed afterwards.

use ffleet_protocol::{
    log::{Cursor, FollowRecord, Position},
    state::JobStatus,
};
use ffleet_tests::{Fleet, Ran, job, stderr_text};
use futures_util::StreamExt;

#[tokio::test]
async fn two_terminals_see_the_same() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let go = fleet.gate("go");
    let steps = ["-fake-lines", "100", "-fake-bytes", "1:40000", "-fake-say", "half", "-fake-gate", go.path()];
    let rest = ["-fake-lines", "3", "-fake-exit", "6"];
    let first = ["submit", "--retries", "0", "--"].into_iter().chain(steps).chain(rest);
    let first = fleet.ffleet(first).start();
    first.says("half").await;
    let second = fleet.ffleet(["job", "attach", "last"]).start();
    second.says("half").await;
    go.open();
    let (first, second) = (Ran::of(&first).await.expect(6), Ran::of(&second).await.expect(6));
    assert!(first.stdout == second.stdout, "stdout differs");
    let own =
        |text: &str| text.lines().filter(|line| !line.starts_with("ffleet:")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(own(&first.stderr), own(&second.stderr));
}

#[tokio::test]
async fn logs_can_be_read_afterwards_and_end_well_whatever_the_job_did() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let steps = ["-fake-out", "to stdout", "-fake-say", "to stderr", "-fake-exit", "3"];
    let ran = fleet.ffleet(["submit", "--retries", "0", "--"].into_iter().chain(steps)).run().await.expect(3);
    assert_eq!(ran.text(), "to stdout\n");
    let logs = fleet.ffleet(["job", "logs", "last"]).run().await.expect(0);
    assert_eq!(logs.text(), "to stdout\n");
    assert!(logs.stderr.contains("to stderr"), "{}", logs.stderr);
}

#[tokio::test]
async fn detached_jobs_are_attached_to_later() {
    let fleet = Fleet::start().await;
    let ran = fleet.ffleet(["submit", "--detach", "--", "-fake-say", "hello", "-fake-exit", "4"]).run().await.expect(0);
    let id = ran.text().trim().to_owned();
    assert_eq!(id, fleet.newest().await.to_string(), "the id, and nothing else, on stdout");
    let attached = fleet.ffleet(["job", "attach", &id[..18]]).start();
    fleet.worker("box").await;
    let attached = Ran::of(&attached).await.expect(4);
    assert!(attached.stderr.contains("hello"), "{}", attached.stderr);
}

#[tokio::test]
async fn ctrl_c_ends_the_watching_not_the_job() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let go = fleet.gate("go");
    let id = fleet.submit(&job(["-fake-say", "up", "-fake-gate", &go.template()])).await;
    let watching = fleet.ffleet(["job", "logs", "-f", &id.to_string()]).start();
    watching.says("up").await;
    let _ = Ran::interrupted(&watching).await.expect(0);
    go.open();
    fleet.wait(id).until(ffleet_protocol::state::JobStatus::Completed).await;
}

#[tokio::test]
async fn a_place_that_this_database_does_not_have_is_the_beginning() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let id = fleet.submit(&job(["-fake-say", "hello"])).await;
    fleet.wait(id).until(JobStatus::Completed).await;
    let task = fleet.job(id).await.tasks[0].id;
    let mut cursor = Cursor::default();
    cursor.tasks.insert(task, Position { epoch: 4_000_000_000, seq: 9, ..Position::default() });
    let mut lines = fleet.api().logs(id, Some(&cursor), true).await.unwrap();
    let mut said = Vec::new();
    while let Some(record) = lines.next().await {
        said.push(record.unwrap());
    }
    assert_eq!(stderr_text(&said), ["hello"]);
    assert!(matches!(said.last(), Some(FollowRecord::Outcome { .. })), "{said:?}");
}

/// They share what the coordinator reads. Whoever comes early or late, from the beginning or from a place in between, gets
/// every line once and in order, and the end after the last of them.
#[tokio::test]
async fn forty_followers_who_come_one_by_one_each_get_every_line() {
    let fleet = Fleet::start().await;
    let hand = fleet.hand("box", 1).await;
    let id = fleet.submit(&job(["-fake-say", "never run"])).await;
    let held = hand.take().await;
    let mut followers = Vec::new();
    for batch in 0..20 {
        let text: Vec<String> = (1..=10).map(|n| (batch * 10 + n).to_string()).collect();
        let lines: Vec<&str> = text.iter().map(String::as_str).collect();
        for from in [0, batch * 5] {
            let mut place = Cursor::default();
            place.tasks.insert(held.task(), Position { epoch: 1, seq: from, ..Position::default() });
            let lines = fleet.api().logs(id, Some(&place), true).await.unwrap();
            followers.push(tokio::spawn(async move { (from, lines.collect::<Vec<_>>().await) }));
        }
        hand.log(&held, batch * 10 + 1, &lines).await.unwrap();
    }
    hand.finish(&held, 200).await.unwrap();
    for follower in followers {
        let (from, records) = follower.await.unwrap();
        let said: Vec<FollowRecord> = records.into_iter().map(Result::unwrap).collect();
        let expected: Vec<String> = (from + 1..=200).map(|n| n.to_string()).collect();
        assert_eq!(stderr_text(&said), expected, "from {from}");
        assert!(matches!(said.last(), Some(FollowRecord::Outcome { .. })), "{said:?}");
    }
}
