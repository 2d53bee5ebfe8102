//! When which encoder ran, from the diary that the fake ones keep.

use std::{collections::BTreeMap, fs, path::Path};

use uuid::Uuid;

use crate::checker::{Attempt, History, Invariant, Violation};

/// One run of an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    pid: u32,
    from: i64,
    until: i64,
}

/// Two encoders of one task must not have run at once, unless the worker of the older one was stopped: then nobody could
/// stop that encoder, and its lease was over.
pub(super) fn check(file: &Path, history: &History, stops: &[(String, i64, i64)]) -> Vec<Violation> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut found = Vec::new();
    for (task, epochs) in read(&text) {
        let mut bad = |what| found.push(Violation::new(Invariant::I6, format!("task {task}"), what));
        let mut latest: Option<(i64, &Run)> = None;
        for (epoch, runs) in &epochs {
            let [run] = runs.as_slice() else {
                bad(format!("epoch {epoch} was run {} times", runs.len()));
                continue;
            };
            let attempt = history.attempts.iter().find(|attempt| attempt.task == task && attempt.epoch == *epoch);
            if attempt.is_none_or(|attempt| attempt.claimed_at > run.from) {
                bad(format!("epoch {epoch} was run before its claim, or without one"));
            }
            if let Some((earlier, before)) = latest
                && before.until > run.from
                && !was_stopped(history, task, earlier, before, stops)
            {
                let by = (before.until - run.from) / 1_000;
                bad(format!("the encoder of epoch {earlier} still ran {by} ms after that of epoch {epoch} had begun"));
            }
            latest = latest.filter(|(_, before)| before.until > run.until).or(Some((*epoch, run)));
        }
    }
    found
}

fn was_stopped(history: &History, task: Uuid, epoch: i64, run: &Run, stops: &[(String, i64, i64)]) -> bool {
    let worker = |attempt: &&Attempt| attempt.task == task && attempt.epoch == epoch;
    let worker = history.attempts.iter().find(worker).map(|attempt| attempt.worker.as_str());
    stops
        .iter()
        .any(|(stopped, from, until)| Some(stopped.as_str()) == worker && *from < run.until && *until > run.from)
}

/// The runs by task and epoch.
fn read(text: &str) -> BTreeMap<Uuid, BTreeMap<i64, Vec<Run>>> {
    let mut tasks: BTreeMap<Uuid, BTreeMap<i64, Vec<Run>>> = BTreeMap::new();
    for line in text.lines() {
        let Some((task, epoch, pid, at)) = entry(line) else { continue };
        let runs = tasks.entry(task).or_default().entry(epoch).or_default();
        match runs.iter_mut().find(|run| run.pid == pid) {
            Some(run) => run.until = run.until.max(at),
            None => runs.push(Run { pid, from: at, until: at }),
        }
    }
    tasks
}

/// `WORD TASK.EPOCH PID MICROSECONDS`
fn entry(line: &str) -> Option<(Uuid, i64, u32, i64)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [_, name, pid, at] = words.as_slice() else { return None };
    let (task, epoch) = name.split_once('.')?;
    Some((task.parse().ok()?, epoch.parse().ok()?, pid.parse().ok()?, at.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: Uuid = Uuid::from_u128(7);

    /// Two attempts by `a` and `b`, claimed at 0 and 100.
    fn history() -> History {
        let attempt = |epoch, worker: &str, claimed_at| Attempt {
            task: TASK,
            epoch,
            worker: worker.to_owned(),
            token: Uuid::nil(),
            claimed_at,
            started_at: None,
            ended_at: None,
            end: None,
        };
        History { attempts: vec![attempt(1, "a", 0), attempt(2, "b", 100)], ..History::default() }
    }

    fn checked(lines: &[(i64, u32, i64)], stops: &[(String, i64, i64)]) -> Vec<Violation> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("diary");
        let lines: Vec<_> = lines.iter().map(|(epoch, pid, at)| format!("alive {TASK}.{epoch} {pid} {at}\n")).collect();
        fs::write(&file, lines.concat()).unwrap();
        check(&file, &history(), stops)
    }

    #[test]
    fn encoders_one_after_the_other_are_right() {
        assert_eq!(checked(&[(1, 5, 10), (1, 5, 90), (2, 6, 110), (2, 6, 300)], &[]), []);
    }

    #[test]
    fn two_at_once_are_not_unless_the_older_ones_worker_was_stopped() {
        let both = [(1, 5, 10), (2, 6, 110), (1, 5, 120), (2, 6, 300)];
        assert!(checked(&both, &[])[0].what.contains("still ran"));
        assert_eq!(checked(&both, &[("a".to_owned(), 20, 115)]), []);
        assert_eq!(checked(&both, &[("b".to_owned(), 20, 115)]).len(), 1);
    }

    #[test]
    fn an_attempt_runs_once_and_after_its_claim() {
        assert!(checked(&[(1, 5, 10), (1, 6, 20)], &[])[0].what.contains("2 times"));
        assert!(checked(&[(2, 5, 50)], &[])[0].what.contains("before its claim"));
        assert!(checked(&[(3, 5, 50)], &[])[0].what.contains("without one"));
    }
}
