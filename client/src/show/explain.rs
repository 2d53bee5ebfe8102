//! Why a job does not run yet.

use ffleet_protocol::job::Explanation;

use super::{paint_of_job, paint_of_task};
use crate::{
    output::{Look, Paint, Text},
    table::{Table, cell, painted},
};

impl Text for Explanation {
    fn text(&self, look: Look) -> String {
        let mut text = format!("{} {}", self.id, look.paint(paint_of_job(self.status), self.status.as_str()));
        if self.tasks.is_empty() {
            text.push_str("\nnothing is left to run");
        }
        for task in &self.tasks {
            let status = look.paint(paint_of_task(task.status), task.status.as_str());
            text.push_str(&format!("\n{status}: {}", task.summary));
            if let Some(ahead) = task.ahead.filter(|ahead| *ahead > 0) {
                text.push_str(&format!(" ({ahead} tasks go before it)"));
            }
            if let Some(warning) = &task.warning {
                text.push_str(&format!("\n{}: {warning}", look.paint(Paint::Busy, "warning")));
            }
            if task.workers.is_empty() {
                continue;
            }
            let mut table = Table::new(&["  WORKER", "WHY NOT"]);
            for worker in &task.workers {
                let reason = match &worker.reason {
                    Some(reason) => cell(reason),
                    None => painted("it may take the task", Paint::Good),
                };
                table.row(vec![cell(format!("  {}", worker.worker)), reason]);
            }
            text.push('\n');
            text.push_str(&table.text(Look { terminal: false, ..look }));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_of_each_worker() {
        let explanation: Explanation = serde_json::from_str(
            r#"{"id": "01997e5c-0000-7000-8000-000000000001", "status": "pending", "tasks": [
                {"id": "01997e5c-0000-7000-8000-000000000002", "status": "pending", "summary": "waits for a free slot",
                 "warning": "no known worker can run this yet; it waits for one", "ahead": 3, "workers": [{"worker": "box1", "reason": "it has no path variable Media"},
                                         {"worker": "box2", "reason": null}]}]}"#,
        )
        .unwrap();
        let look = Look { color: false, terminal: false, now: jiff::Timestamp::UNIX_EPOCH };
        insta::assert_snapshot!(explanation.text(look), @r"
        01997e5c-0000-7000-8000-000000000001 pending
        pending: waits for a free slot (3 tasks go before it)
        warning: no known worker can run this yet; it waits for one
          WORKER  WHY NOT
          box1    it has no path variable Media
          box2    it may take the task
        ");
    }
}
