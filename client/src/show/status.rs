//! The fleet at a glance.

use ffleet_protocol::worker::FleetStatus;

use crate::{
    output::{Look, Paint, Text},
    table::{Table, cell, painted},
};

impl Text for FleetStatus {
    fn text(&self, look: Look) -> String {
        let counts = |counts: &std::collections::BTreeMap<String, u64>| {
            let parts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
            if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
        };
        let mut table = Table::bare();
        let mut row = |name: &str, value: String| table.row(vec![painted(name, Paint::Dim), cell(value)]);
        row("jobs", counts(&self.jobs));
        row("workers", counts(&self.workers));
        row("slots", format!("{} of {} in use", self.busy, self.slots));
        row("coordinator", self.version.clone());
        table.text(Look { terminal: false, ..look })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_glance() {
        let status: FleetStatus = serde_json::from_str(
            r#"{"jobs": {"running": 2, "completed": 10}, "workers": {}, "slots": 8, "busy": 2, "version": "0.1.0"}"#,
        )
        .unwrap();
        let look = Look { color: false, terminal: false, now: jiff::Timestamp::UNIX_EPOCH };
        insta::assert_snapshot!(status.text(look), @r"
        jobs         10 completed, 2 running
        workers      none
        slots        2 of 8 in use
        coordinator  0.1.0
        ");
    }
}
