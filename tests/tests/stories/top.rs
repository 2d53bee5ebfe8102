//! The live view, on a terminal and into a pipe.

use ffleet_protocol::{
    account::Scope,
    overview::{OverviewQuery, Tally},
    problem::Code,
    state::{JobStatus, Role, TaskStatus, WorkerState},
};
use ffleet_tests::{Fleet, job, spec};
use nix::sys::signal::Signal;
use serde_json::json;

#[tokio::test]
async fn an_admin_watches_and_steers() {
    let fleet = Fleet::start().await;
    let worker = fleet.worker("box").await;
    let go = fleet.gate("go");
    let length = ["-f", "lavfi", "-t", "10", "-i", "testsrc", "out.mkv"];
    let steps = ["-fake-say", "up and running", "-fake-progress", "100", "-fake-gate", &go.template()];
    let id = fleet.submit(&job(length.into_iter().chain(steps))).await;
    let waits = fleet.submit(&job(["-fake-say", "after that"])).await;
    fleet.wait(id).until_progress().await;

    let top = fleet.ffleet_as("chief", ["top"]).on_terminal(30, 120);
    // 100 blocks of 40 ms are 4 of 10 seconds.
    top.shows(["box", "online", "1/1", "40.0%", "██", "studio", "testsrc", "3 Queue (1)", "after that"]).await;
    assert!(top.is_taken());

    top.types("f");
    top.shows(["Job", "running on box", "up and running", "40.0 %"]).await;
    top.types("\x1b");
    top.shows(["2 Running (1)"]).await;

    top.types("c");
    top.shows([&format!("y: cancel job {id}")]).await;
    top.types("n");
    top.hides("y: cancel").await;
    assert_eq!(fleet.job(id).await.summary.status, JobStatus::Running, "no means no");
    top.types("cy");
    fleet.wait(id).until(JobStatus::Canceled).await;
    fleet.wait(waits).until(JobStatus::Completed).await;
    top.shows(["nothing runs", "nothing waits", "canceled", "completed"]).await;

    top.types("1d");
    top.shows(["y: box finishes what runs and leaves"]).await;
    top.types("y");
    assert!(worker.process().ended().await.success());
    top.shows(["offline"]).await;
    assert_eq!(fleet.chief().worker(&worker.id()).await.unwrap().state, WorkerState::Offline);
    top.types("q");
    top.ends(0).await;
}

#[tokio::test]
async fn a_client_sees_its_own_jobs_and_is_refused_in_the_view() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let other = fleet.account("other", Role::Client, Scope::default()).await;
    let theirs = other.submit(&job(["-fake-say", "of somebody else"]), "k").await.unwrap().id;
    fleet.wait(theirs).until(JobStatus::Completed).await;
    let ours = fleet.submit(&job(["-fake-say", "of our own", "-fake-exit", "3"])).await;
    fleet.wait(ours).until(JobStatus::Failed).await;

    let top = fleet.ffleet(["top"]).on_terminal(24, 100);
    top.shows(["box", "of our own", "failed", "exit code 3"]).await;
    assert!(!top.text().contains("of somebody else"), "{}", top.text());
    top.types("1p");
    top.shows(["this call is for admins"]).await;
    top.types("\x03");
    top.ends(0).await;
    let colored = |said: &[u8]| String::from_utf8_lossy(said).contains("\x1b[38;5;");
    assert!(colored(&top.process().stdout()));

    let plain = fleet.ffleet(["top"]).env("NO_COLOR", "1").on_terminal(24, 100);
    plain.shows(["of our own", "failed"]).await;
    plain.signal(Signal::SIGTERM);
    plain.ends(128 + 15).await;
    assert!(!colored(&plain.process().stdout()));
}

#[tokio::test]
async fn the_view_outlives_the_coordinator_and_fits_every_window() {
    let fleet = Fleet::start().await;
    fleet.worker("box").await;
    let top = fleet.ffleet_as("chief", ["top"]).on_terminal(24, 110);
    top.shows(["box", "nothing runs"]).await;
    fleet.coordinator().kill9().await;
    top.shows(["no answer since", "asking again", "box"]).await;
    top.resize(5, 20);
    top.shows(["2 Running"]).await;
    top.resize(1, 1);
    top.resize(30, 120);
    top.shows(["1 Workers", "4 Ended", "no answer since"]).await;
    fleet.coordinator().restart().await;
    top.hides("no answer since").await;
    let id = fleet.submit(&job(["-fake-say", "after the restart"])).await;
    fleet.wait(id).until(JobStatus::Completed).await;
    top.shows(["after the restart", "completed"]).await;
    fleet.coordinator().kill9().await;
    top.shows(["no answer since"]).await;
    top.types("q");
    top.ends(0).await;
    fleet.coordinator().restart().await;
}

#[tokio::test]
async fn a_pipe_gets_lines_of_json() {
    let fleet = Fleet::start().await;
    let id = fleet.submit(&job(["-fake-say", "x"])).await;
    let once = fleet.ffleet(["top", "--once"]).run().await.expect(0);
    assert_eq!(once.text().lines().count(), 1);
    let look = once.json();
    assert_eq!((&look["type"], &look["waiting"]["count"]), (&"overview".into(), &1.into()));
    assert_eq!(look["next"][0]["job"], id.to_string());
    assert_eq!(look["next"][0]["command"], "ffmpeg -fake-say x");

    let looks = fleet.ffleet(["top"]).start();
    looks.says(r#""held":0"#).await;
    fleet.worker("box").await;
    looks.says(r#""status":"completed""#).await;
    fleet.coordinator().kill9().await;
    looks.says(r#""type":"silence""#).await;
    fleet.coordinator().restart().await;
    looks.signal(Signal::SIGTERM);
    looks.ended().await;
    let said = looks.stdout();
    assert!(!said.iter().any(|byte| byte.is_ascii_control() && *byte != b'\n'), "{}", looks.said());
    for line in String::from_utf8(said).unwrap().lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
}

#[tokio::test]
async fn a_look_shows_the_queue_in_the_order_in_which_it_is_due() {
    let fleet = Fleet::start().await;
    let usual = fleet.submit(&job(["-fake-say", "usual"])).await;
    let blocked = fleet.submit(&spec(["-version"], json!({ "after": [usual], "priority": 9 }))).await;
    let urgent = fleet.submit(&spec(["-version"], json!({ "priority": 5 }))).await;
    let look = async |api: &ffleet_client::Api, limit| api.overview(&OverviewQuery { limit }).await;
    for api in [fleet.chief(), fleet.api()] {
        let seen = look(api, None).await.unwrap();
        let order: Vec<_> = seen.next.iter().map(|task| task.brief.job).collect();
        assert_eq!(order, [urgent, usual, blocked]);
        assert_eq!(seen.next[2].status, TaskStatus::Blocked);
        assert_eq!(seen.waiting, Tally { count: 3, more: false });
    }
    let other = fleet.account("other", Role::Client, Scope::default()).await;
    let seen = look(&other, None).await.unwrap();
    assert_eq!((seen.next.len(), seen.waiting.count), (0, 0), "somebody else's jobs are not theirs to see");
    let first = look(fleet.chief(), Some(1)).await.unwrap();
    assert_eq!((first.next.len(), first.next[0].brief.job, first.waiting.count), (1, urgent, 3));

    for limit in [0, 501] {
        let refused = look(fleet.api(), Some(limit)).await.unwrap_err();
        assert!(refused.is(Code::BadField) && refused.to_string().contains("limit"), "{refused}");
    }
    let refused = look(fleet.farm(), None).await.unwrap_err();
    assert!(refused.is(Code::WrongRole), "{refused}");
}
