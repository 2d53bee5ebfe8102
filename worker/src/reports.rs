//! Final reports, on disk from before they are first sent until a coordinator has taken or refused them.

use std::{fs, io, path::PathBuf, sync::Arc};

use ffleet_protocol::{id::WorkerId, task::FinishRequest, worker::LeaseRef};
use serde::{Deserialize, Serialize};

use crate::{
    shipping::Totals,
    state::{StateDir, attempt_name, remove, write_whole},
};

/// The end of an attempt, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The attempt.
    pub lease: LeaseRef,
    /// The number of its first record of standard output, to know whether lost records held any.
    pub first_stdout: Option<u64>,
    /// What is sent.
    pub finish: FinishRequest,
}

impl Report {
    /// What its output held.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals { last_seq: self.finish.last_seq, first_stdout: self.first_stdout }
    }
}

/// All reports of a worker.
#[derive(Debug, Clone)]
pub struct Reports {
    state: Arc<StateDir>,
}

impl Reports {
    /// Those in this directory.
    #[must_use]
    pub fn new(state: Arc<StateDir>) -> Self {
        Self { state }
    }

    /// Keeps a report; when this returns it survives whatever happens. Blocks.
    pub fn save(&self, report: &Report) -> io::Result<()> {
        write_whole(&self.path(&report.lease), &serde_json::to_vec(report)?)
    }

    /// A coordinator has decided about it.
    pub fn forget(&self, lease: &LeaseRef) {
        remove(&self.path(lease));
        remove(&self.state.spool(lease.task, lease.epoch));
    }

    /// Those that an earlier life left, as `worker`. Unreadable ones are put aside, so that somebody may look at them.
    pub fn load(&self, worker: &WorkerId) -> io::Result<Vec<Report>> {
        let mut reports = Vec::new();
        for entry in fs::read_dir(self.state.reports())? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => {}
                Some("part") => {
                    remove(&path);
                    continue;
                }
                Some(_) | None => continue,
            }
            let read = fs::read(&path).map_err(|error| error.to_string());
            match read.and_then(|bytes| serde_json::from_slice::<Report>(&bytes).map_err(|error| error.to_string())) {
                Ok(report) if report.finish.worker == *worker => reports.push(report),
                Ok(report) => {
                    tracing::warn!(path = %path.display(), other = %report.finish.worker, "a report of another worker is left alone");
                }
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "a final report cannot be read and is put aside");
                    let _ = fs::rename(&path, path.with_extension("damaged"));
                }
            }
        }
        Ok(reports)
    }

    /// Whether any are left.
    #[must_use]
    pub fn any(&self) -> bool {
        let reports = fs::read_dir(self.state.reports()).into_iter().flatten().flatten();
        reports.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
    }

    fn path(&self, lease: &LeaseRef) -> PathBuf {
        self.state.reports().join(format!("{}.json", attempt_name(lease.task, lease.epoch)))
    }
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::{
        id::{Incarnation, TaskId, Token},
        task::Exit,
    };

    use super::*;

    fn report(worker: &str) -> Report {
        let lease = LeaseRef { task: TaskId::new(), epoch: 3, token: Token::new() };
        let finish = FinishRequest {
            worker: WorkerId::new(worker).unwrap(),
            incarnation: Incarnation::new(),
            epoch: lease.epoch,
            token: lease.token,
            exit: Exit::Code { code: 0 },
            failure: None,
            message: String::new(),
            last_seq: 12,
            tail: String::new(),
            outputs: Vec::new(),
        };
        Report { lease, first_stdout: Some(2), finish }
    }

    #[test]
    fn a_report_stays_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(folder.path()).unwrap());
        let reports = Reports::new(Arc::clone(&state));
        let (mine, other) = (report("mine"), report("other"));
        reports.save(&mine).unwrap();
        reports.save(&other).unwrap();
        fs::write(state.reports().join("x.json"), "{").unwrap();
        fs::write(state.reports().join("y.part"), "{").unwrap();
        fs::write(state.spool(mine.lease.task, 3), "").unwrap();
        let name = WorkerId::new("mine").unwrap();
        assert_eq!(reports.load(&name).unwrap(), std::slice::from_ref(&mine));
        assert_eq!(mine.totals(), Totals { last_seq: 12, first_stdout: Some(2) });
        reports.forget(&mine.lease);
        assert_eq!(reports.load(&name).unwrap(), []);
        assert!(!state.spool(mine.lease.task, 3).exists());
        assert!(state.reports().join("x.damaged").exists() && !state.reports().join("y.part").exists());
    }
}
