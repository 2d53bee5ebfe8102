//! The whole program against a coordinator that does as the test says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
};

use common::{PATIENCE, blocking, fake::Fake, fifo, first_line, read};
use ffleet_protocol::{
    log::{Data, DropReason},
    state::{CancelReason, FailureClass, SignalKind, Stream, TaskStatus, WorkerState},
    task::{Exit, NumberedSignal, Order},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// A worker program; killed when it is dropped.
struct Worker {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Worker {
    fn start(fake: &Fake, folder: &TempDir) -> Self {
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("media")).unwrap();
        fs::write(path("key"), "test:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=\n").unwrap();
        fs::set_permissions(path("key"), fs::Permissions::from_mode(0o600)).unwrap();
        let config = format!(
            "id = \"box\"\ncoordinators = [\"http://{}\"]\nkey_file = {:?}\nstate_dir = {:?}\nslots = 2\n\
             [paths]\nMedia = {:?}\n[programs]\nsh = \"/bin/sh\"\n[stop]\nquit_s = 1\nterminate_s = 1\nforced_s = 1\n[log]\nlevel = \"info,ffleet_worker=debug\"\n",
            fake.addr,
            path("key"),
            path("state"),
            path("media")
        );
        fs::write(path("worker.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ffleet-worker"))
            .arg("--config")
            .arg(path("worker.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("worker: {line}");
                let _ = told.send(line);
            }
        });
        Self { child, lines }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for a line of the worker's log.
    async fn says(&mut self, words: &'static str) {
        let lines = std::mem::replace(&mut self.lines, mpsc::channel().1);
        self.lines = blocking(move || {
            while !lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("never said: {words}")).contains(words) {}
            lines
        })
        .await;
    }

    async fn ended(mut self) -> ExitStatus {
        let child = std::mem::replace(&mut self.child, Command::new("/bin/true").spawn().unwrap());
        blocking(move || {
            let mut child = child;
            child.wait().unwrap()
        })
        .await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A script that writes into a named pipe as long as it lives.
const LIVES: &str = "exec 9>\"$0\"; echo up >&9; exec sleep 1000";

#[tokio::test]
async fn a_task_is_run_and_told() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let _worker = Worker::start(&fake, &folder);
    let task = fake.script("pwd; ls -A; echo err >&2; exit 42", &["x", "$Media/a"]);
    let finish = fake.finished(task).await;
    assert_eq!((finish.exit, finish.failure), (Exit::Code { code: 42 }, None));
    assert_eq!(finish.tail, "err\n");
    let state = fake.lock();
    let task = &state.tasks[&task];
    assert_eq!((task.accepted, task.next_seq()), (1, finish.last_seq + 1));
    assert!(task.text().contains(&format!("scratch/{}.1", task.grant.task)), "{}", task.text());
    let known = &state.registrations[0].capabilities;
    assert!(known.programs.contains_key("sh") && known.variables.values().all(|mount| mount.writable));
}

#[tokio::test]
async fn what_cannot_begin_is_rejected() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let _worker = Worker::start(&fake, &folder);
    for (program, arg, said) in
        [("nosuch", "x", "no program"), ("sh", "$Movies/a", "$Movies"), ("sh", "$Media/../a", "\"..\"")]
    {
        let task = fake.offer(program, &[arg]);
        let reason = fake.until("a rejection", |state| state.tasks.get(&task)?.rejected.clone()).await;
        assert!(reason.contains(said), "{reason}");
        assert_eq!(fake.lock().tasks[&task].accepted, 0);
    }
}

#[tokio::test]
async fn a_stop_and_signals_arrive_with_heartbeats() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let _worker = Worker::start(&fake, &folder);
    let alive = fifo(&folder, "alive");
    let stopped = fake.script(LIVES, &[alive.to_str().unwrap()]);
    let (_, rest) = first_line(alive).await;
    fake.change(|state| {
        state.tasks.get_mut(&stopped).unwrap().order = Order::Stop { reason: CancelReason::Requested };
    });
    assert_eq!(fake.finished(stopped).await.exit, Exit::Stopped);
    assert_eq!(read(rest).await, b"");

    let ready = fifo(&folder, "ready");
    let text = "trap 'echo int; sig=1' INT; echo up >\"$0\"; while [ -z \"$sig\" ]; do sleep 0.05; done; exit 7";
    let signaled = fake.script(text, &[ready.to_str().unwrap()]);
    first_line(ready).await;
    fake.change(|state| {
        let signal = NumberedSignal { number: 1, signal: SignalKind::Interrupt };
        state.tasks.get_mut(&signaled).unwrap().signals = vec![signal];
    });
    assert_eq!(fake.finished(signaled).await.exit, Exit::Code { code: 7 });
    let text = fake.lock().tasks[&signaled].text();
    assert_eq!(text.matches("int").count(), 1, "passed on once: {text}");
}

#[tokio::test]
async fn a_signal_before_the_start_reaches_the_program() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    fake.change(|state| state.lose_accepts = true);
    let _worker = Worker::start(&fake, &folder);
    let task = fake.script("trap 'exit 7' INT; while :; do sleep 0.05; done", &[]);
    fake.until("a grant", |state| state.tasks.contains_key(&task).then_some(())).await;
    let before = fake.lock().heartbeats.len();
    fake.change(|state| {
        let signal = NumberedSignal { number: 1, signal: SignalKind::Interrupt };
        state.tasks.get_mut(&task).unwrap().signals = vec![signal];
    });
    // The answer to the first of them was taken before the second one was sent.
    fake.until("two heartbeats", |state| (state.heartbeats.len() >= before + 2).then_some(())).await;
    fake.change(|state| state.lose_accepts = false);
    let exit = fake.finished(task).await.exit;
    let early = Exit::Signal { signal: Signal::SIGINT as i32 };
    assert!([early, Exit::Code { code: 7 }].contains(&exit), "{exit:?}");
}

#[tokio::test]
async fn a_lost_answer_to_a_claim_strands_nothing() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    fake.change(|state| state.lose_claim = true);
    let _worker = Worker::start(&fake, &folder);
    let task = fake.script("exit 0", &[]);
    assert_eq!(fake.finished(task).await.exit, Exit::Code { code: 0 });
    let state = fake.lock();
    let token = state.tasks[&task].grant.token;
    assert!(state.claims.iter().filter(|claim| claim.token == token).count() >= 2);
    assert_eq!(state.tasks[&task].accepted, 1);
}

#[tokio::test]
async fn in_silence_the_program_is_stopped_before_the_lease_can_lapse() {
    let (fake, folder) = (Fake::start(6).await, tempfile::tempdir().unwrap());
    let mut worker = Worker::start(&fake, &folder);
    let alive = fifo(&folder, "alive");
    let task = fake.script(LIVES, &[alive.to_str().unwrap()]);
    let (_, rest) = first_line(alive).await;
    let since = std::time::Instant::now();
    fake.change(|state| state.silent = true);
    assert_eq!(read(rest).await, b"");
    assert!(since.elapsed().as_secs() <= 6, "{:?}", since.elapsed());
    worker.says("no coordinator has renewed the lease").await;
    // Back before the lease has lapsed: the attempt is handed back at once, not begun a second time.
    fake.change(|state| state.silent = false);
    assert_eq!(fake.finished(task).await.exit, Exit::HandedBack);
    assert_eq!(fake.lock().tasks[&task].accepted, 1);
}

#[tokio::test]
async fn a_short_silence_costs_nothing() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let mut worker = Worker::start(&fake, &folder);
    let gate = fifo(&folder, "gate");
    let text = "echo one; read x <\"$0\"; i=0; while [ $i -lt 500 ]; do echo \"line $i\"; i=$((i+1)); done";
    let task = fake.script(text, &[gate.to_str().unwrap()]);
    fake.until("the first line", |state| state.tasks.get(&task).filter(|task| !task.records.is_empty()).map(drop))
        .await;
    fake.change(|state| state.silent = true);
    worker.says("heartbeat failed").await;
    blocking(move || fs::write(gate, "go\n").unwrap()).await;
    worker.says("ended with code 0").await;
    fake.change(|state| state.silent = false);
    fake.finished(task).await;
    let text = fake.lock().tasks[&task].text();
    assert!((0..500).all(|n| text.contains(&format!("line {n}\n"))), "something is missing");
    assert!(!fake.lock().tasks[&task].records.iter().any(|record| matches!(record.data, Data::Dropped(_))));
}

#[tokio::test]
async fn an_end_is_told_by_the_next_life() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let mut worker = Worker::start(&fake, &folder);
    let gate = fifo(&folder, "gate");
    let task = fake.script("echo before; read x <\"$0\"; echo after; exit 3", &[gate.to_str().unwrap()]);
    fake.until("the first line", |state| state.tasks.get(&task).filter(|task| !task.records.is_empty()).map(drop))
        .await;
    fake.change(|state| state.silent = true);
    worker.says("heartbeat failed").await;
    blocking(move || fs::write(gate, "go\n").unwrap()).await;
    let report = folder.path().join(format!("state/reports/{task}.1.json"));
    worker.says("kept until somebody takes it").await;
    assert!(report.exists());
    drop(worker);

    fake.change(|state| state.silent = false);
    let worker = Worker::start(&fake, &folder);
    let finish = fake.finished(task).await;
    assert_eq!(finish.exit, Exit::Code { code: 3 });
    let unreported = fake.lock().registrations.last().unwrap().unreported.clone();
    assert_eq!(unreported.iter().map(|lease| lease.task).collect::<Vec<_>>(), [task]);
    let text = fake.lock().tasks[&task].text();
    assert!(text.contains("before") && text.contains("after"), "{text}");
    assert_eq!(finish.incarnation, fake.lock().registrations.last().unwrap().incarnation);
    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().await.success());
    assert!(!report.exists());
}

#[tokio::test]
async fn what_the_coordinator_has_lost_is_declared() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    fake.change(|state| state.forget_from = Some(2));
    let _worker = Worker::start(&fake, &folder);
    let task = fake.script("for n in 1 2 3 4; do echo $n >&2; done", &[]);
    fake.finished(task).await;
    let state = fake.lock();
    let records = &state.tasks[&task].records;
    assert_eq!((records.len(), records[1].seq, records[1].last_seq()), (2, 2, 4));
    let Data::Dropped(lost) = &records[1].data else { panic!("{records:?}") };
    assert_eq!((lost.reason, records[1].stream), (DropReason::SpoolLost, Stream::Stderr));
}

#[tokio::test]
async fn a_drain_finishes_what_runs() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let mut worker = Worker::start(&fake, &folder);
    let (gate, ready) = (fifo(&folder, "gate"), fifo(&folder, "ready"));
    let text = "echo up >\"$1\"; read x <\"$0\"; exit 5";
    let task = fake.script(text, &[gate.to_str().unwrap(), ready.to_str().unwrap()]);
    first_line(ready).await;
    worker.signal(Signal::SIGTERM);
    worker.says("no new work is taken").await;
    fake.until("a draining heartbeat", |state| state.heartbeats.last()?.draining.then_some(())).await;
    let late = fake.script("exit 0", &[]);
    blocking(move || fs::write(gate, "go\n").unwrap()).await;
    assert!(worker.ended().await.success());
    let state = fake.lock();
    assert_eq!(state.tasks[&task].finished.as_ref().unwrap().exit, Exit::Code { code: 5 });
    assert!(state.left);
    // A claim that was broken off may have been granted; the grant is given back unbegun.
    assert_eq!(state.tasks.get(&late).map_or(0, |late| late.accepted), 0);
}

#[tokio::test]
async fn a_second_request_hands_back() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let mut worker = Worker::start(&fake, &folder);
    let alive = fifo(&folder, "alive");
    let task = fake.script(LIVES, &[alive.to_str().unwrap()]);
    let (_, rest) = first_line(alive).await;
    worker.signal(Signal::SIGINT);
    worker.says("no new work is taken").await;
    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().await.success());
    assert_eq!(read(rest).await, b"");
    let state = fake.lock();
    assert_eq!(state.tasks[&task].finished.as_ref().unwrap().exit, Exit::HandedBack);
    assert!(state.left);
}

#[tokio::test]
async fn a_drain_by_the_coordinators_ends_the_worker() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let worker = Worker::start(&fake, &folder);
    fake.until("a heartbeat", |state| state.heartbeats.first().map(drop)).await;
    fake.change(|state| state.worker_state = Some(WorkerState::Draining));
    assert!(worker.ended().await.success());
    assert!(fake.lock().left);
}

#[tokio::test]
async fn a_superseded_worker_stops_at_once_and_says_nothing() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let worker = Worker::start(&fake, &folder);
    let alive = fifo(&folder, "alive");
    let task = fake.script(LIVES, &[alive.to_str().unwrap()]);
    let (_, rest) = first_line(alive).await;
    fake.change(|state| state.superseded = true);
    assert_eq!(worker.ended().await.code(), Some(3));
    assert_eq!(read(rest).await, b"");
    assert!(fake.lock().tasks[&task].finished.is_none() && !fake.lock().left);
}

#[tokio::test]
async fn a_lost_lease_kills_and_is_not_told() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let _worker = Worker::start(&fake, &folder);
    let alive = fifo(&folder, "alive");
    let lost = fake.script(LIVES, &[alive.to_str().unwrap()]);
    let (_, rest) = first_line(alive).await;
    fake.change(|state| state.tasks.get_mut(&lost).unwrap().order = Order::Lost);
    assert_eq!(read(rest).await, b"");
    let next = fake.script("exit 0", &[]);
    fake.finished(next).await;
    assert!(fake.lock().tasks[&lost].finished.is_none());
}

#[tokio::test]
async fn a_grant_that_got_lost_is_taken_on() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let _worker = Worker::start(&fake, &folder);
    let first = fake.script("exit 0", &[]);
    fake.finished(first).await;
    // A task of this worker's that it has never heard of.
    let task = ffleet_protocol::id::TaskId::new();
    fake.change(|state| {
        let mut grant = state.tasks[&first].grant.clone();
        grant.task = task;
        grant.status = TaskStatus::Assigned;
        let stray = common::fake::Task {
            grant,
            accepted: 0,
            rejected: None,
            order: Order::Continue,
            signals: Vec::new(),
            records: Vec::new(),
            progress: None,
            finished: None,
        };
        state.tasks.insert(task, stray);
    });
    assert_eq!(fake.finished(task).await.exit, Exit::Code { code: 0 });
    assert_eq!(fake.lock().tasks[&task].accepted, 1);
}

#[tokio::test]
async fn too_much_standard_output_ends_the_task() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let _worker = Worker::start(&fake, &folder);
    let task = fake.script("exec head -c 70000000 /dev/zero", &[]);
    let finish = fake.finished(task).await;
    assert_eq!(finish.failure, Some(FailureClass::StdoutTooLarge));
    let text = fake.lock().tasks[&task].records.last().unwrap().data.bytes().unwrap();
    assert!(String::from_utf8_lossy(&text).contains("stdout_too_large"));
}

#[tokio::test]
async fn the_last_word_about_progress_is_told_again_when_it_was_not_taken() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    fake.change(|state| state.miss_frame = Some(25));
    let _worker = Worker::start(&fake, &folder);
    let task = fake.offer("ffmpeg", &["-f", "lavfi", "-i", "testsrc=rate=25:duration=1", "-f", "null", "-"]);
    fake.finished(task).await;
    let state = fake.lock();
    assert_eq!(state.miss_frame, None, "it was told once");
    assert_eq!(state.tasks[&task].progress.as_ref().and_then(|progress| progress.frame), Some(25));
}

#[tokio::test]
async fn a_run_timeout_stops_politely() {
    let (fake, folder) = (Fake::start(35).await, tempfile::tempdir().unwrap());
    let _worker = Worker::start(&fake, &folder);
    let text = "trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done";
    let task = fake.script_with(text, &[], |grant| grant.timeout_s = Some(1));
    let finish = fake.finished(task).await;
    assert_eq!((finish.exit, finish.failure), (Exit::TimedOut, Some(FailureClass::TimedOut)));
    assert!(fake.lock().tasks[&task].text().contains("asked"));
}
