//! Jobs.

use ffleet_protocol::{
    id::JobId,
    job::{AttemptEnd, AttemptView, Canceled, JobSummary, JobView, Submitted, TaskView},
};

use super::{command_line, ending, moment, outcome_line, paint_of_job, paint_of_task, quoted, short};
use crate::{
    durations,
    output::{Look, Paint, Text},
    progress,
    table::{Table, cell, painted},
};

/// A listing.
pub fn jobs(jobs: &[JobSummary], look: Look) -> Table {
    let mut table = Table::new(&["JOB", "STATUS", "AGE", "TOOK", "REQUESTER", "COMMAND"]);
    for job in jobs {
        let age = durations::human(look.now.duration_since(job.created_at).as_secs());
        let took = job
            .started_at
            .map(|started| durations::human(job.ended_at.unwrap_or(look.now).duration_since(started).as_secs()));
        table.row(vec![
            cell(job.id),
            painted(job.status, paint_of_job(job.status)),
            cell(age),
            cell(took.unwrap_or_default()),
            cell(&job.requester),
            cell(command_line(job)),
        ]);
    }
    table
}

impl Text for JobView {
    fn text(&self, look: Look) -> String {
        let job = &self.summary;
        let mut table = Table::bare();
        let mut row = |name: &str, value: String| table.row(vec![painted(name, Paint::Dim), cell(value)]);
        row("job", job.id.to_string());
        row("status", look.paint(paint_of_job(job.status), job.status.as_str()));
        if let Some(outcome) = job.outcome.as_ref().map(outcome_line).filter(|line| !line.is_empty()) {
            row("outcome", outcome);
        }
        row("command", command_line(job));
        row("directory", self.spec.cwd.as_ref().map_or_else(|| "an empty one".to_owned(), quoted));
        row("requester", job.requester.to_string());
        if job.priority != 0 {
            row("priority", job.priority.to_string());
        }
        for (key, value) in &job.labels {
            row("label", format!("{key}={value}"));
        }
        for earlier in &self.spec.after {
            row("after", earlier.to_string());
        }
        if let Some(earlier) = self.retry_of {
            row("retry of", earlier.to_string());
        }
        if let Some(later) = job.retried_by {
            row("retried by", later.to_string());
        }
        if self.spec.monitor {
            row("monitored", "yes: canceled when its client goes silent".to_owned());
        }
        row("created", moment(job.created_at, look.now));
        for (name, at) in [("started", job.started_at), ("ended", job.ended_at)] {
            if let Some(at) = at {
                row(name, moment(at, look.now));
            }
        }
        // Only a listing's cells are cut; here everything is shown.
        let mut text = table.text(Look { terminal: false, ..look });
        for task in &self.tasks {
            text.push_str(&task_text(task, look));
        }
        for warning in &self.warnings {
            text.push_str(&format!("\n\nwarning: {warning}"));
        }
        text
    }
}

fn task_text(task: &TaskView, look: Look) -> String {
    let status = look.paint(paint_of_task(task.status), task.status.as_str());
    let mut text = format!("\n\ntask {}: {status}", task.name);
    if let Some(worker) = &task.worker {
        text.push_str(&format!(" on {worker}"));
    }
    if let Some(at) = task.not_before.filter(|at| !task.status.is_terminal() && *at > look.now) {
        text.push_str(&format!(", not before {}", short(at)));
    }
    for (count, what) in [(task.failures, "bad ends"), (task.crashes, "lost attempts"), (task.rejections, "refusals")] {
        if count > 0 {
            text.push_str(&format!(", {what}: {count}"));
        }
    }
    let progress = task.progress.as_ref().filter(|_| task.status.is_leased());
    if let Some(line) = progress.map(progress::line).filter(|line| !line.is_empty()) {
        text.push_str(&format!("\n  progress: {line}"));
    }
    if !task.attempts.is_empty() {
        let mut table = Table::new(&["  ATTEMPT", "WORKER", "CLAIMED", "TOOK", "END", "WHY"]);
        for attempt in &task.attempts {
            table.row(attempt_row(attempt, look));
        }
        text.push('\n');
        text.push_str(&table.text(Look { terminal: false, ..look }));
    }
    text
}

fn attempt_row(attempt: &AttemptView, look: Look) -> Vec<crate::table::Cell> {
    let (end, paint) = match attempt.end {
        None => ("goes on", Paint::Busy),
        Some(AttemptEnd::Completed) => ("completed", Paint::Good),
        Some(AttemptEnd::Failed) => ("failed", Paint::Bad),
        Some(AttemptEnd::Canceled) => ("canceled", Paint::Dim),
        Some(AttemptEnd::Rejected) => ("rejected", Paint::Plain),
        Some(AttemptEnd::Lapsed) => ("lapsed", Paint::Bad),
        Some(AttemptEnd::Unknown) => ("unknown", Paint::Plain),
    };
    let took = attempt
        .started_at
        .map(|started| durations::human(attempt.ended_at.unwrap_or(look.now).duration_since(started).as_secs()));
    let ending = ending(attempt.exit_code, attempt.signal, attempt.failure);
    let why = [Some(ending), attempt.message.clone()].into_iter().flatten().filter(|part| !part.is_empty());
    vec![
        cell(format!("  {}", attempt.epoch)),
        cell(&attempt.worker),
        cell(short(attempt.claimed_at)),
        cell(took.unwrap_or_default()),
        painted(end, paint),
        cell(why.collect::<Vec<_>>().join("; ")),
    ]
}

impl Text for Canceled {
    fn text(&self, _: Look) -> String {
        if self.status.is_terminal() {
            format!("{} {}", self.id, self.status)
        } else {
            format!("{} {} (its worker has not confirmed yet)", self.id, self.status)
        }
    }
}

impl Text for Submitted {
    fn text(&self, _: Look) -> String {
        self.id.to_string()
    }
}

/// A job that `wait` has seen end.
#[derive(serde::Serialize)]
pub struct Ended<'a> {
    /// The job.
    pub id: JobId,
    /// How.
    pub outcome: &'a ffleet_protocol::job::Outcome,
}

impl Text for Ended<'_> {
    fn text(&self, look: Look) -> String {
        let status = look.paint(paint_of_job(self.outcome.status), self.outcome.status.as_str());
        let line = outcome_line(self.outcome);
        match line.strip_prefix(self.outcome.status.as_str()) {
            // `canceled by alice`
            Some(rest) => format!("{} {status}{rest}", self.id),
            None if line.is_empty() => format!("{} {status}", self.id),
            None => format!("{} {status}: {line}", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = r#"{
        "id": "01997e5c-0000-7000-8000-000000000001", "requester": "alice", "status": "failed", "program": "ffmpeg",
        "args": ["-i", "$Media/a b.mkv", "out.mp4"], "priority": 5, "labels": {"show": "x"},
        "created_at": "2026-11-20T12:00:00Z", "started_at": "2026-11-20T12:00:02Z", "ended_at": "2026-11-20T12:01:10Z",
        "outcome": {"status": "failed", "exit_code": 1, "signal": null, "failure": "disk_full", "canceled": null,
                    "message": "the disk was full"},
        "spec": {"args": ["-i", "$Media/a b.mkv", "out.mp4"], "cwd": "$Media"}, "retry_of": null,
        "warnings": ["no known worker has Media"],
        "tasks": [{"id": "01997e5c-0000-7000-8000-000000000002", "name": "main", "status": "failed", "epoch": 2,
            "not_before": null, "worker": null, "lease_until": null, "failures": 1, "crashes": 1, "rejections": 0,
            "progress": {"percent": 41.0}, "outcome": null, "attempts": [
            {"epoch": 1, "worker": "box1", "claimed_at": "2026-11-20T12:00:01Z", "started_at": "2026-11-20T12:00:02Z",
             "ended_at": "2026-11-20T12:00:40Z", "end": "lapsed", "exit_code": null, "signal": null,
             "failure": "lease_lapsed", "message": null},
            {"epoch": 2, "worker": "box2", "claimed_at": "2026-11-20T12:00:41Z", "started_at": "2026-11-20T12:00:42Z",
             "ended_at": "2026-11-20T12:01:10Z", "end": "failed", "exit_code": 1, "signal": null,
             "failure": "disk_full", "message": "the disk was full"}]}]
    }"#;

    fn look() -> Look {
        Look { color: false, terminal: false, now: "2026-11-20T13:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_job_in_full() {
        let job: JobView = serde_json::from_str(JOB).unwrap();
        insta::assert_snapshot!(job.text(look()), @r"
        job        01997e5c-0000-7000-8000-000000000001
        status     failed
        outcome    the disk was full; exit code 1, disk_full
        command    ffmpeg -i '$Media/a b.mkv' out.mp4
        directory  '$Media'
        requester  alice
        priority   5
        label      show=x
        created    2026-11-20 12:00:00Z (1 h 0 min ago)
        started    2026-11-20 12:00:02Z (59 min 58 s ago)
        ended      2026-11-20 12:01:10Z (58 min 50 s ago)

        task main: failed, bad ends: 1, lost attempts: 1
          ATTEMPT  WORKER  CLAIMED               TOOK  END     WHY
          1        box1    2026-11-20 12:00:01Z  38 s  lapsed  lease_lapsed
          2        box2    2026-11-20 12:00:41Z  28 s  failed  exit code 1, disk_full; the disk was full

        warning: no known worker has Media
        ");
    }

    #[test]
    fn a_listing() {
        let job: JobView = serde_json::from_str(JOB).unwrap();
        insta::assert_snapshot!(jobs(&[job.summary], look()).text(look()), @r"
        JOB                                   STATUS  AGE        TOOK       REQUESTER  COMMAND
        01997e5c-0000-7000-8000-000000000001  failed  1 h 0 min  1 min 8 s  alice      ffmpeg -i '$Media/a b.mkv' out.mp4
        ");
    }
}
