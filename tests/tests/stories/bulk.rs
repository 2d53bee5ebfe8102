//! Many files with one command, and many jobs at once.

use std::fs;

use ffleet_protocol::{
    job::{JobFilter, JobSummary},
    state::JobStatus,
};
use ffleet_tests::{Fleet, Ran, WorkerSetup, spec};
use serde_json::{Value, json};

/// Files in the client's media folder.
fn files(fleet: &Fleet, names: impl IntoIterator<Item = String>) {
    for name in names {
        let path = fleet.media().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn all(fleet: &Fleet) -> Vec<JobSummary> {
    fleet.api().jobs(&JobFilter { limit: Some(1_000), ..JobFilter::default() }).await.unwrap().jobs
}

const SMALL: [&str; 6] = ["submit", "--each-file", "in/*.mkv", "--output", "out/{stem}.mp4", "--retries"];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], &["0"], more].concat()
}

#[tokio::test]
async fn each_file_becomes_a_job_and_only_what_is_missing_is_submitted_again() {
    let fleet = Fleet::start().await;
    files(&fleet, ["a", "b", "c{1}"].map(|name| format!("in/{name}.mkv")));
    let command = small(&["--label", "show=x", "--json", "--", "-fake-say", "{stem}.{ext}"]);
    let first = lines(&fleet.ffleet(&command).run().await.expect(0));
    assert_eq!((first.len(), &first[3]["submitted"], &first[3]["type"]), (4, &json!(3), &json!("summary")));
    let inputs: Vec<_> =
        first[..3].iter().map(|line| line["input"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    assert_eq!(inputs, ["a.mkv", "b.mkv", "c{1}.mkv"]);
    let view = fleet.job(first[2]["id"].as_str().unwrap().parse().unwrap()).await;
    let args: Vec<_> = view.spec.args.iter().map(|arg| arg.lossy().into_owned()).collect();
    let expected = ["-i", "$Media/in/c{1}.mkv", "-fake-say", "c{1}.mkv", "$Media/out/c{1}.mp4"];
    assert_eq!(args, expected, "the file goes before the arguments and what it becomes after them");
    assert_eq!(view.summary.labels["show"], "x");

    files(&fleet, ["in/d.mkv".to_owned()]);
    let second = lines(&fleet.ffleet(&command).run().await.expect(0));
    let summary = &second[4];
    assert_eq!((&summary["submitted"], &summary["existing"]["pending"]), (&json!(1), &json!(3)));
    assert_eq!(second[0]["id"], first[0]["id"]);
    assert_eq!(all(&fleet).await.len(), 4);
    // Another command for the same files is another matter.
    let _ = fleet.ffleet(small(&["--", "-fake-say", "other"])).run().await.expect(0);
    assert_eq!(all(&fleet).await.len(), 8);
    let again = fleet.ffleet([&command[..7], &["--again", "--json", "--", "-fake-say", "{stem}.{ext}"]].concat());
    assert_eq!(lines(&again.run().await.expect(0))[4]["submitted"], 4);
    assert_eq!(all(&fleet).await.len(), 12);
}

/// More than a batch; two terminals at the same time, one of which is interrupted.
#[tokio::test]
async fn runs_at_the_same_time_and_interrupted_ones_submit_each_file_once() {
    const COUNT: usize = 1_100;
    let fleet = Fleet::setup().coordinators(2).start().await;
    files(&fleet, (0..COUNT).map(|n| format!("in/{n:05}.mkv")));
    let command = small(&["--", "-fake-say", "{stem}"]);
    let (left, right) = (fleet.ffleet(&command).start(), fleet.ffleet(&command).start());
    while left.is_alive() && fleet.api().status().await.unwrap().jobs.is_empty() {}
    let left = Ran::interrupted(&left).await;
    assert!([0, 130].contains(&left.code), "{} {}", left.code, left.stderr);
    assert_eq!(Ran::of(&right).await.code, 0);
    let last = fleet.ffleet([&["--json"], &command[..]].concat()).run().await.expect(0);
    let last = lines(&last);
    assert_eq!((&last[COUNT]["submitted"], &last[COUNT]["existing"]["pending"]), (&json!(0), &json!(COUNT)));
    let status = fleet.api().status().await.unwrap();
    assert_eq!(status.jobs["pending"], COUNT as u64);
    fleet_is_emptied(&fleet, &last[COUNT]["label"]).await;
}

/// Cancels everything with a label, a thousand and more, as a script would.
async fn fleet_is_emptied(fleet: &Fleet, label: &Value) {
    let label = label.as_str().unwrap();
    let refused = fleet.ffleet(["job", "cancel", "--label", label]).run().await.expect(125);
    assert!(refused.stderr.contains("1100 jobs") && refused.stderr.contains("--yes"), "{}", refused.stderr);
    let done = fleet.ffleet(["job", "cancel", "--label", label, "--yes"]).run().await.expect(0);
    assert_eq!(done.text(), "1100 canceled\n");
    let none = fleet.ffleet(["job", "cancel", "--label", label, "--yes"]).run().await.expect(0);
    assert!(none.stderr.contains("no job"), "{}", none.stderr);
    assert_eq!(fleet.ffleet(["job", "wait", "--label", label]).run().await.code, 130);
}

#[tokio::test]
async fn a_mistake_is_named_and_nothing_is_submitted() {
    let fleet = Fleet::start().await;
    files(&fleet, ["in/a.mkv", "in/a.avi", "in/b.mp4"].map(str::to_owned));
    for (args, words) in [
        (&["--each-file", "in/*.mov", "--", "-an"][..], "\"in/*.mov\" matches no file"),
        (&["--each-file", "in/*", "--output", "{dir}/{stem}.mkv", "--", "-an"], "for the file itself"),
        (&["--each-file", "in/a.*", "--output", "out/{stem}.mp4", "--", "-an"], "would both become"),
        (&["--each-file", "in/*", "--", "-vf", "{width}"], "{width}"),
        (&["--each-file", "in/*", "--output", "/elsewhere/{name}", "--", "-an"], "/elsewhere/a.avi"),
    ] {
        let ran = fleet.ffleet([&["submit"], args].concat()).run().await.expect(125);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let both = fleet.ffleet(["submit", "--each-file", "in/*", "--monitor", "--", "-an"]).run().await.expect(125);
    assert!(both.stderr.contains("--monitor"), "{}", both.stderr);
    assert!(all(&fleet).await.is_empty());
}

#[tokio::test]
async fn what_failed_is_retried_once_and_waited_for() {
    let fleet = Fleet::start().await;
    fleet.worker_with(WorkerSetup::new("box").slots(4)).await;
    files(&fleet, (0..6).map(|n| format!("in/{n}.mkv")));
    // Those whose name is 1 to 5 end with that code, as long as there is no gate.
    let mended = fleet.gate("mended");
    let args = ["--wait", "--label", "show=x", "--", "-fake-exit-unless", mended.path(), "{stem}"];
    let ran = fleet.ffleet(small(&args)).run().await;
    assert!((1..=5).contains(&ran.code), "the first bad end's own code: {} {}", ran.code, ran.stderr);
    assert!(ran.text().ends_with("1 completed, 5 failed\n"), "{}", ran.text());
    let told = fleet.ffleet(small(&args[1..])).run().await.expect(0);
    assert!(told.text().contains("1 completed, 5 failed"), "{}", told.text());
    assert!(told.stderr.contains("ffleet job retry --failed --label"), "{}", told.stderr);

    mended.open();
    let unasked = fleet.ffleet(["job", "retry", "--failed", "--label", "show=x"]).run().await.expect(125);
    assert!(unasked.stderr.contains("5 jobs") && unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    let two = [(); 2].map(|()| fleet.ffleet(["job", "retry", "--failed", "--label", "show=x", "--yes"]).start());
    for one in &two {
        assert_eq!(Ran::of(one).await.code, 0);
    }
    assert_eq!(all(&fleet).await.len(), 11, "asked for twice at the same time, each is retried once");
    let done = fleet.ffleet(["job", "wait", "--label", "show=x"]).run().await.expect(0);
    assert_eq!(done.text(), "6 completed\n", "what was retried has no say any more");
    let none = fleet.ffleet(["job", "retry", "--failed", "--yes"]).run().await.expect(0);
    assert!(none.stderr.contains("no failed job"), "{}", none.stderr);
    let present = fleet.ffleet(small(&args[1..])).run().await.expect(0);
    assert!(present.text().contains("there already: 6 completed"), "{}", present.text());
}

#[tokio::test]
async fn a_label_that_nothing_has_is_an_error_and_a_time_limit_is_kept() {
    let fleet = Fleet::start().await;
    let none = fleet.ffleet(["job", "wait", "--label", "show=none"]).run().await.expect(125);
    assert!(none.stderr.contains("show=none"), "{}", none.stderr);
    let labelled = json!({ "labels": { "show": "slow" } });
    fleet.submit(&spec(["-fake-hang"], labelled)).await;
    let slow = fleet.ffleet(["job", "wait", "--label", "show=slow", "--timeout", "1s"]).run().await.expect(125);
    assert!(slow.stderr.contains("within 1 s"), "{}", slow.stderr);
    fleet.cancel_all().await;
}

#[tokio::test]
async fn everybody_acts_on_their_own() {
    let fleet = Fleet::start().await;
    let mine = fleet.submit(&spec(["-fake-say", "x"], json!({ "labels": { "show": "x" } }))).await;
    let scope = ffleet_protocol::account::Scope { sees_all: true, ..Default::default() };
    fleet.account("lead", ffleet_protocol::state::Role::Client, scope).await;
    let ran = fleet.ffleet_as("lead", ["job", "cancel", "--label", "show=x", "--yes"]).run().await.expect(125);
    assert!(ran.text().contains("1 refused"), "{}", ran.text());
    assert_eq!(fleet.job(mine).await.summary.status, JobStatus::Pending);
    let ran = fleet.ffleet_as("chief", ["job", "cancel", "--label", "show=x", "--yes"]).run().await.expect(0);
    assert_eq!(ran.text(), "1 canceled\n");
}
