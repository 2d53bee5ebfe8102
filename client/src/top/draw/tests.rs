//! Pictures of models.

use ffleet_client::Followed;
use ffleet_protocol::{
    id::{JobId, TaskId},
    log::{Data, FollowRecord, LineEnd, Record},
    overview::Overview,
    state::{JobStatus, Stream},
};
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use ratatui::{Terminal, backend::TestBackend, layout::Rect};

use super::{super::model::*, *};

const LOOK: &str = r#"{
    "at": "2026-11-20T12:00:00Z",
    "workers": [
        {"id": "cpu-1", "state": "draining", "slots": 4, "busy": 1, "seen_at": "2026-11-20T11:59:58Z"},
        {"id": "gpu-1", "state": "online", "slots": 2, "busy": 1, "seen_at": "2026-11-20T11:59:20Z"},
        {"id": "old", "state": "offline", "slots": 8, "busy": 0, "seen_at": "2026-11-19T12:00:00Z"}],
    "held": 2,
    "running": [
        {"job": "01997e5c-0000-7000-8000-000000000001", "requester": "alice", "priority": 0,
         "command": "ffmpeg -i $Media/a.mkv a.mp4", "created_at": "2026-11-20T11:58:00Z",
         "task": "01997e5c-0000-7000-8000-0000000000a1", "status": "running", "worker": "gpu-1", "epoch": 1,
         "claimed_at": "2026-11-20T11:58:30Z",
         "progress": {"percent": 41.3, "fps": 62.04, "speed": 2.5, "eta_s": 70.2}},
        {"job": "01997e5c-0000-7000-8000-000000000002", "requester": "bob", "priority": 5,
         "command": "ffmpeg -i $Media/b.mkv \u001b[2Jb.mp4", "created_at": "2026-11-20T11:59:00Z",
         "task": "01997e5c-0000-7000-8000-0000000000a2", "status": "canceling", "worker": "cpu-1", "epoch": 2,
         "claimed_at": "2026-11-20T11:59:50Z", "progress": {"phase": "probing"}}],
    "waiting": {"count": 10000, "more": true},
    "next": [
        {"job": "01997e5c-0000-7000-8000-000000000003", "requester": "alice", "priority": 0, "command": "ffmpeg c",
         "created_at": "2026-11-20T11:59:30Z", "task": "01997e5c-0000-7000-8000-0000000000a3", "status": "pending",
         "not_before": null, "epoch": 0},
        {"job": "01997e5c-0000-7000-8000-000000000004", "requester": "alice", "priority": 0, "command": "ffmpeg d",
         "created_at": "2026-11-20T11:59:30Z", "task": "01997e5c-0000-7000-8000-0000000000a4", "status": "pending",
         "not_before": "2026-11-20T12:00:40Z", "epoch": 3},
        {"job": "01997e5c-0000-7000-8000-000000000005", "requester": "alice", "priority": 0, "command": "ffmpeg e",
         "created_at": "2026-11-20T11:59:30Z", "task": "01997e5c-0000-7000-8000-0000000000a5", "status": "blocked",
         "not_before": null, "epoch": 0}],
    "ended": [
        {"job": "01997e5c-0000-7000-8000-000000000006", "requester": "alice", "priority": 0, "command": "ffmpeg f",
         "created_at": "2026-11-20T11:00:00Z", "status": "failed", "started_at": "2026-11-20T11:00:10Z",
         "ended_at": "2026-11-20T11:59:00Z",
         "outcome": {"status": "failed", "exit_code": 1, "signal": null, "failure": "disk_full", "canceled": null,
                     "message": "the disk was full"}}]
}"#;

fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn overview() -> Overview {
    serde_json::from_str(LOOK).unwrap()
}

/// A view after these inputs, and what it wanted done.
fn after(inputs: impl IntoIterator<Item = Input>) -> (State, Vec<Action>) {
    let mut state = State::new("ffleet http://farm:8461/ as alice.1".to_owned(), noon());
    let mut wanted = Vec::new();
    for input in inputs {
        let (next, actions) = state.on(input, noon());
        state = next;
        wanted.extend(actions);
    }
    (state, wanted)
}

fn seen() -> Input {
    Input::Seen(Box::new(overview()))
}

fn keys(keys: &str) -> impl Iterator<Item = Input> {
    keys.chars().map(|c| Input::Key(Key::Char(c))).collect::<Vec<_>>().into_iter()
}

fn picture(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(state, Colors(false), frame.area(), frame.buffer_mut())).unwrap();
    let text = terminal.backend().to_string();
    // Trailing blanks make no difference to people, and editors take them away.
    text.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_at_a_glance() {
    assert_snapshot!(picture(&after([seen()]).0, 120, 26), @r#"
    ffleet http://farm:8461/ as alice.1  2 running  10000+ waiting  1 of 2 slots in use
     1 Workers (3) ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    WORKER               STATE     USED    FREE  SEEN
    cpu-1                draining  1/4     0     2 s ago
    gpu-1                online    1/2     1     40 s ago
    old                  offline   0/8     0     1 d 0 h ago
    ▶2 Running (2) ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    WORKER       REQUESTER  PROGRESS            FPS    SPEED  LEFT        COMMAND
    gpu-1        alice      ████▉         41.3% 62.0   2.5x   1 min 11 s  ffmpeg -i $Media/a.mkv a.mp4
    cpu-1        bob        canceling                                     ffmpeg -i $Media/b.mkv ·[2Jb.mp4







     3 Queue (10000+) ──────────────────────────────────────────────────────────────────────────────────────────────────────
    JOB                REQUESTER  PRIORITY WAITS          FOR         COMMAND
    01997e5c-0000-7000 alice      0        for a worker   30 s        ffmpeg c
    01997e5c-0000-7000 alice      0        for 40 s       30 s        ffmpeg d
    01997e5c-0000-7000 alice      0        for a job      30 s        ffmpeg e
     4 Ended ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
    JOB                REQUESTER  STATUS    HOW                      AGO         COMMAND
    01997e5c-0000-7000 alice      failed    exit code 1, disk_full   1 min 0 s   ffmpeg f
     q quit  Tab list  ↑ ↓ mark  f output  c cancel  ? help
    "#);
}

#[test]
fn a_small_screen_shows_the_list_that_keys_speak_of() {
    let (mut state, _) = after([seen()]);
    assert_snapshot!(picture(&state, 40, 8), @r#"
    ffleet http://farm:8461/ as alice.1  2 r
    ▶2 Running (2) ─────────────────────────
    PROGRESS            COMMAND
    ████▉         41.3% ffmpeg -i $Media/a.m
    canceling           ffmpeg -i $Media/b.m


     q quit  Tab list  ↑ ↓ mark  f output  c
    "#);
    (state, _) = state.on(Input::Key(Key::Next), noon());
    assert_snapshot!(picture(&state, 60, 8), @r#"
    ffleet http://farm:8461/ as alice.1  2 running  10000+ waiti
    ▶3 Queue (10000+) ──────────────────────────────────────────
    REQUESTER  PRIORITY WAITS          FOR         COMMAND
    alice      0        for a worker   30 s        ffmpeg c
    alice      0        for 40 s       30 s        ffmpeg d
    alice      0        for a job      30 s        ffmpeg e

     q quit  Tab list  ↑ ↓ mark  f output  c cancel  ? help
    "#);
    (state, _) = state.on(Input::Key(Key::Next), noon());
    assert_snapshot!(picture(&state, 20, 5), @r#"
    ffleet http://farm:8
    ▶4 Ended ───────────
    STATUS    COMMAND
    failed    ffmpeg f
     q quit  Tab list  ↑
    "#);
}

#[test]
fn nobody_answers() {
    let silent = Input::Unseen("no coordinator could be reached: http://farm:8461/: connection refused".to_owned());
    let (state, _) = after([seen(), silent.clone()]);
    let later = noon() + SignedDuration::from_secs(75);
    let (state, _) = state.on(silent, later);
    let first = picture(&state, 120, 8);
    let heading = first.lines().next().unwrap();
    assert!(heading.starts_with("no answer since 12:00:00Z (1 min 15 s), asking again: no coordinator"), "{heading}");
    assert!(first.contains("ffmpeg -i $Media/a.mkv"), "what was seen last stays: {first}");
    let (state, _) = state.on(seen(), later);
    assert!(!picture(&state, 120, 8).contains("no answer"));
}

#[test]
fn time_goes_on_between_two_looks() {
    let (state, _) = after([seen()]);
    let (state, _) = state.on(Input::Tick, noon() + SignedDuration::from_secs(30));
    let text = picture(&state, 140, 26);
    assert!(text.contains("draining  1/4     0     32 s ago"), "{text}");
    assert!(text.contains("for 10 s"), "{text}");
}

#[test]
fn the_output_of_a_job() {
    let (job, task) = (JobId("01997e5c-0000-7000-8000-000000000001".parse().unwrap()), TaskId::new());
    let record = |record| Input::Followed(Box::new(Followed::Record(record)));
    let line = |text: &str, end| {
        let data = Data::Text(text.to_owned());
        let line = Record { seq: 1, stream: Stream::Stderr, at: noon(), data, end: Some(end) };
        record(FollowRecord::Output { task, epoch: 1, record: line })
    };
    let progress = overview().running[0].progress.clone().unwrap();
    let (state, actions) = after([seen()].into_iter().chain(keys("f")).chain([
        record(FollowRecord::Status { job, status: JobStatus::Running }),
        record(FollowRecord::Attempt { task, epoch: 1, worker: "gpu-1".parse().unwrap() }),
        line("Input #0,\t\x1b]0;owned\x07lavfi", LineEnd::Lf),
        line("frame= 10", LineEnd::Cr),
        line("frame= 20", LineEnd::Cr),
        record(FollowRecord::Progress { task, epoch: 1, progress }),
    ]));
    assert_eq!(actions, [Action::Follow(job)]);
    assert_snapshot!(picture(&state, 80, 8), @r#"
    ffleet http://farm:8461/ as alice.1  2 running  10000+ waiting  1 of 2 slots in
    ▶Job 01997e5c-0000-7000-8000-000000000001 running on gpu-1
    ffleet: attempt 1 on gpu-1
    Input #0,    ·]0;owned·lavfi
    frame= 20

    ████████▎            41.3 %, 62.0 fps, 2.50x, 1 min 11 s left
     q back  ↑ ↓ scroll  c cancel  ? help
    "#);
    let (state, actions) = state.on(Input::Key(Key::Char('q')), noon());
    assert_eq!(actions, [Action::Unfollow, Action::Look], "q leaves the output, not the program");
    assert!(picture(&state, 80, 8).contains("Running"));
}

#[test]
fn what_cannot_be_undone_is_asked_first() {
    let (state, actions) = after([seen()].into_iter().chain(keys("jc")));
    assert_eq!(actions, []);
    assert_snapshot!(picture(&state, 90, 8), @r#"
    ffleet http://farm:8461/ as alice.1  2 running  10000+ waiting  1 of 2 slots in use
    ▶2 Running (2) ───────────────────────────────────────────────────────────────────────────
    WORKER       REQUESTER  PROGRESS            FPS    SPEED  LEFT        COMMAND
    gpu-1        alice      ████▉         41.3% 62.0   2.5x   1 min 11 s  ffmpeg -i $Media/a.m
    cpu-1        bob        canceling                                     ffmpeg -i $Media/b.m


     y: cancel job 01997e5c-0000-7000-8000-000000000002  any other key: no
    "#);
    let job = overview().running[1].brief.job;
    let (state, actions) = state.on(Input::Key(Key::Char('y')), noon());
    assert_eq!(actions, [Action::Cancel(job)]);
    let (state, _) = state.on(Input::Answered(Err("admins only; \x1b[1mask one".to_owned())), noon());
    assert!(picture(&state, 90, 8).ends_with(" admins only; ·[1mask one"), "{}", picture(&state, 90, 8));
    let (_, actions) = after([seen()].into_iter().chain(keys("jcn1dx")));
    assert_eq!(actions, [], "any other key is a no");
    let (_, actions) = after([seen()].into_iter().chain(keys("1jdypr")));
    let worker = overview().workers[1].id.clone();
    assert_eq!(actions, [Action::Drain(worker.clone()), Action::Pause(worker.clone()), Action::Resume(worker)]);
}

#[test]
fn keys_that_mean_nothing_here_say_what_would() {
    for (pressed, words) in [
        ("d", "mark a worker"),
        ("1c", "mark a job that runs or waits"),
        ("4c", "has ended"),
        ("1f", "mark a job"),
        ("4r", "mark a worker"),
    ] {
        let (state, actions) = after([seen()].into_iter().chain(keys(pressed)));
        assert_eq!(actions, [], "{pressed}");
        assert!(picture(&state, 80, 8).lines().last().unwrap().contains(words), "{pressed}");
    }
}

#[test]
fn a_mark_stays_with_what_it_is_about() {
    let (state, _) = after([seen()].into_iter().chain(keys("j")));
    let mut next = overview();
    next.running.remove(0);
    let (state, _) = state.on(Input::Seen(Box::new(next.clone())), noon());
    let (_, actions) = state.clone().on(Input::Key(Key::Enter), noon());
    assert_eq!(actions, [Action::Follow(overview().running[1].brief.job)]);
    next.running.clear();
    let (state, _) = state.on(Input::Seen(Box::new(next)), noon());
    let (_, actions) = state.on(Input::Key(Key::Enter), noon());
    assert_eq!(actions, [], "nothing is marked where there is nothing");
}

#[test]
fn ctrl_c_quits_from_everywhere() {
    for pressed in ["", "?", "c", "f", "fc"] {
        let (state, _) = after([seen()].into_iter().chain(keys(pressed)));
        let (_, actions) = state.on(Input::Key(Key::Interrupt), noon());
        assert_eq!(actions, [Action::Quit], "after {pressed:?}");
    }
    assert_eq!(after(keys("q")).1, [Action::Quit]);
}

#[test]
fn no_size_is_too_small() {
    let states: Vec<State> = ["", "?", "c", "f", "1", "3", "4"]
        .into_iter()
        .flat_map(|pressed| [after(keys(pressed)).0, after([seen()].into_iter().chain(keys(pressed))).0])
        .collect();
    for (width, height) in [(0, 0), (1, 1), (2, 1), (20, 1), (20, 2), (20, 5), (1, 40), (300, 3), (80, 24), (500, 200)]
    {
        for state in &states {
            let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
            draw(state, Colors(true), buffer.area, &mut buffer);
        }
    }
}

#[test]
fn colours_only_where_they_are_welcome() {
    let (state, _) = after([seen()]);
    for welcome in [true, false] {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 26));
        draw(&state, Colors(welcome), buffer.area, &mut buffer);
        let colored = buffer.content.iter().any(|cell| cell.fg != ratatui::style::Color::Reset);
        assert_eq!(colored, welcome);
    }
}

#[test]
fn help_names_every_key() {
    let text = picture(&after(keys("?")).0, 100, 20);
    for key in ["Tab", "Enter", " c ", " d ", " p ", " r ", "Ctrl-C"] {
        assert!(text.contains(key), "{key}: {text}");
    }
}
