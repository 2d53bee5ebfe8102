//! A worker that starts clears away what an earlier life left behind, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{collections::HashSet, fs};

use common::{PATIENCE, fifo, first_line, read, script, starter};
use ffleet_protocol::id::TaskId;
use ffleet_worker::{
    leftovers::{self, Note},
    process::{Control, Ended, MarkPrefix, stat},
    state::StateDir,
};

/// When a child started, as its note says it.
fn started(child: &Control) -> u64 {
    stat(child.pid()).unwrap().started
}

#[tokio::test]
async fn children_of_an_earlier_life_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(&folder.path().join("state")).unwrap();
    let (task, starter) = (TaskId::new(), starter());

    // One is known by its note alone, one by its mark alone, and one is a stranger's with a note of the same number.
    let noted = starter.start(script("exec sleep 1000", &[])).await.unwrap().control;
    let note = Note::write(&state, task, 1, noted.pid(), started(&noted)).unwrap();
    std::mem::forget(note);
    let mut program = script("exec sleep 1000", &[]);
    program.mark = MarkPrefix::new(state.id()).mark("other");
    let marked = starter.start(program).await.unwrap().control;
    let stranger = starter.start(script("exec sleep 1000", &[])).await.unwrap().control;
    let note = Note::write(&state, task, 2, stranger.pid(), started(&stranger)).unwrap();
    let path = state.running().join(format!("{task}.2.json"));
    let text = fs::read_to_string(&path).unwrap();
    let started = text.split("\"started\":").nth(1).unwrap().split(',').next().unwrap();
    fs::write(&path, text.replace(started, "1")).unwrap();
    std::mem::forget(note);

    fs::write(state.spool(task, 1), "").unwrap();
    fs::write(state.spool(task, 7), "kept").unwrap();
    fs::write(state.spools().join("x.part"), "").unwrap();
    let scratch = state.make_scratch(task, 1).unwrap();

    leftovers::clear(&state, &HashSet::from([(task, 7)])).unwrap();
    for child in [&noted, &marked] {
        assert_eq!(tokio::time::timeout(PATIENCE, child.ended()).await.unwrap(), Ended::Signal(9));
    }
    assert!(fs::exists(format!("/proc/{}", stranger.pid())).unwrap(), "a stranger was killed");
    stranger.kill();
    assert_eq!(fs::read_dir(state.running()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(state.spools()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(state.spool(task, 7)).unwrap(), "kept");
    assert!(!scratch.exists());
}

#[tokio::test]
async fn a_grandchild_is_found_by_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(&folder.path().join("state")).unwrap();
    let alive = fifo(&folder, "alive");
    let mut program = script("setsid sh -c 'exec >\"$1\"; echo up; exec sleep 1000' sh \"$1\"", &[&alive]);
    program.mark = MarkPrefix::new(state.id()).mark("x.1");
    let starter = starter();
    let running = starter.start(program).await.unwrap();
    // Only once somebody has written has the grandchild got as far as it matters.
    let (line, rest) = first_line(alive).await;
    assert_eq!(line, "up");
    leftovers::clear(&state, &HashSet::new()).unwrap();
    assert_eq!(read(rest).await, b"");
    running.control.ended().await;
}
