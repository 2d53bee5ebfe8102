//! The end of a fleet: everything is stopped, what should not be there any more is looked for, and the history of every
//! task is replayed.

use std::{fs, path::Path, thread, time::Duration};

use ffleet_protocol::job::JobFilter;
use nix::sys::signal::Signal;

use crate::{
    Coordinator, Process, Proxy, checker,
    fleet::{Parts, connect},
    orphans,
};

/// How long a program may take to leave when it has nothing to do.
const LEAVING: Duration = Duration::from_secs(20);
/// How much of each log is shown when a test fails.
const SHOWN: usize = 60;

/// Ends a fleet. Fails the test if something is left, unless it has failed already.
pub(crate) fn end(parts: &Parts) {
    let failed = thread::panicking();
    // A test's own runtime waits for this very drop, so the end gets one for itself.
    let problems = thread::scope(|scope| {
        let ending = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut problems = stop_all(parts, failed).await;
                if !failed {
                    problems.extend(checker::broken(&parts.database[0], parts.log_cap).await);
                }
                problems
            })
        });
        ending.join().unwrap_or_else(|_| vec!["the end of the fleet went wrong itself".to_owned()])
    });
    if failed || !problems.is_empty() {
        show_logs(&parts.dir.path().join("logs"));
    }
    for problem in &problems {
        eprintln!("left behind: {problem}");
    }
    assert!(failed || problems.is_empty(), "the fleet left something behind (see above)");
}

/// Stops everything, and gives what is left behind. After a failure it only stops.
pub(crate) async fn stop_all(parts: &Parts, failed: bool) -> Vec<String> {
    let mut problems = Vec::new();
    // Whoever goes through one has goodbyes to say.
    parts.proxies.iter().for_each(Proxy::heal);
    if !failed && parts.coordinators.iter().any(|coordinator| coordinator.process().is_alive()) {
        problems.extend(leased(parts).await);
    }
    let clients: Vec<_> = parts.clients.lock().expect("no panic under the lock").clone();
    for client in clients {
        client.signal(Signal::SIGKILL);
        client.end().await;
    }
    let workers: Vec<_> = parts.workers.lock().expect("no panic under the lock").iter().map(|w| w.process()).collect();
    let coordinators: Vec<_> = parts.coordinators.iter().map(|coordinator| coordinator.process()).collect();
    for process in workers.iter().chain(&coordinators) {
        process.cont();
    }
    // Workers first: they say goodbye to a coordinator.
    for group in [workers, coordinators] {
        for process in &group {
            process.signal(if failed { Signal::SIGKILL } else { Signal::SIGTERM });
        }
        for process in &group {
            problems.extend(leave(process).await);
        }
    }
    let left = orphans::gone(parts.dir.path(), "", Duration::from_secs(5)).await;
    problems.extend(left.into_iter().map(|line| format!("process {line}")));
    problems
}

async fn leave(process: &Process) -> Option<String> {
    match tokio::time::timeout(LEAVING, process.end()).await {
        Ok(_) => None,
        Err(_) => {
            process.kill9().await;
            Some(format!("{} did not leave within {LEAVING:?} of SIGTERM", process.name()))
        }
    }
}

async fn leased(parts: &Parts) -> Vec<String> {
    let chief = connect(parts.dir.path(), parts.coordinators.iter().map(Coordinator::url), "chief");
    let filter = JobFilter { status: Some("assigned,running,canceling".to_owned()), ..JobFilter::default() };
    match chief.jobs(&filter).await {
        Ok(page) => page.jobs.iter().map(|job| format!("job {} is {}", job.id, job.status)).collect(),
        Err(error) => vec![format!("no list of leased jobs: {error}")],
    }
}

fn show_logs(folder: &Path) {
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let bytes = fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().collect();
        eprintln!("---- {} (the last of {} lines)", file.display(), lines.len());
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            eprintln!("{line}");
        }
    }
}
