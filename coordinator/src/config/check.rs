//! What must hold between values. Everything that is wrong is said at once, with the arithmetic.

use ffleet_protocol::limits;

use super::{Config, Limits, Retention, Timing};

impl Config {
    /// Why this configuration cannot work; empty when it can.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.addresses(&mut problems);
        if self.database.file().is_none() && !self.database.is_server() {
            // Only what kind it is: the rest may hold a password.
            let kind = self.database.url.split(':').next().unwrap_or_default();
            problems.push(format!(
                "`database.url` ({kind:?}) names no database that is supported; expected sqlite:///path/to/ffleet.db, \
                 mysql://USER@HOST/DATABASE or postgres://USER@HOST/DATABASE"
            ));
        }
        self.timing.problems(&mut problems);
        self.limits.problems(&mut problems);
        self.retention.problems(&mut problems);
        if let Err(error) = self.log.level.parse::<tracing_subscriber::EnvFilter>() {
            problems.push(format!("`log.level` = {:?} is not understood: {error}", self.log.level));
        }
        problems
    }

    fn addresses(&self, problems: &mut Vec<String>) {
        let port = self.listen.rsplit_once(':').map(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if port != Some(true) {
            problems.push(format!("`listen` = {:?} is no address with a port, such as 127.0.0.1:8461", self.listen));
        }
        for name in &self.public_names {
            if name.is_empty() || name.contains(['/', ' ', '@']) {
                problems.push(format!(
                    "`public_names` has {name:?}; expected only a name and perhaps a port, such as ffleet.example.com:8461"
                ));
            }
        }
        let path = &self.public_base_path;
        if !path.is_empty() && (!path.starts_with('/') || path.ends_with('/') || path.contains(['?', '#', ' '])) {
            problems
                .push(format!("`public_base_path` = {path:?} must begin with / and not end with it, such as /ffleet"));
        }
    }
}

impl Timing {
    fn problems(&self, problems: &mut Vec<String>) {
        let all = [
            ("heartbeat_s", self.heartbeat_s),
            ("lease_s", self.lease_s),
            ("give_up_s", self.give_up_s),
            ("forced_stop_s", self.forced_stop_s),
            ("sweep_s", self.sweep_s),
            ("assignment_s", self.assignment_s),
            ("worker_silent_s", self.worker_silent_s),
            ("client_gone_s", self.client_gone_s),
            ("long_poll_s", self.long_poll_s),
            ("shutdown_s", self.shutdown_s),
        ];
        let day = limits::LEASE_S;
        for (name, value) in all {
            if !(1..=day).contains(&value) {
                problems.push(format!("`timing.{name}` = {value} must be at least 1 and at most {day} seconds"));
            }
        }
        if all.iter().any(|(_, value)| *value > day) {
            return;
        }
        self.arithmetic(problems);
    }

    fn arithmetic(&self, problems: &mut Vec<String>) {
        let Self {
            heartbeat_s, lease_s, give_up_s, forced_stop_s, worker_silent_s, client_gone_s, long_poll_s, ..
        } = *self;
        let stopped = give_up_s + forced_stop_s;
        if stopped >= lease_s {
            problems.push(format!(
                "`timing.give_up_s` + `timing.forced_stop_s` must be less than `timing.lease_s`, but \
                 {give_up_s} + {forced_stop_s} = {stopped} is not less than {lease_s}: a worker that was cut off would still \
                 run a task that another one has got"
            ));
        }
        if heartbeat_s * 2 > give_up_s {
            problems.push(format!(
                "`timing.give_up_s` must be at least twice `timing.heartbeat_s`, but {give_up_s} is less than \
                 2 × {heartbeat_s} = {}: one lost heartbeat would stop every task",
                heartbeat_s * 2
            ));
        }
        if worker_silent_s * 2 < heartbeat_s * 5 {
            problems.push(format!(
                "`timing.worker_silent_s` must be at least 2.5 times `timing.heartbeat_s`, but {worker_silent_s} is less than \
                 2.5 × {heartbeat_s} = {}.{}: workers that are well would be counted as offline",
                heartbeat_s * 5 / 2,
                if heartbeat_s % 2 == 0 { 0 } else { 5 }
            ));
        }
        if client_gone_s < 10 {
            problems.push(format!(
                "`timing.client_gone_s` = {client_gone_s} must be at least 10: clients speak every 5 seconds, and one lost word \
                 would cancel the job"
            ));
        }
        if self.linger_s > 300 {
            problems.push(format!("`timing.linger_s` = {} must be at most 300 seconds", self.linger_s));
        }
        if long_poll_s > limits::LONG_POLL_S {
            problems.push(format!(
                "`timing.long_poll_s` = {long_poll_s} must be at most {}: proxies cut off longer silences",
                limits::LONG_POLL_S
            ));
        }
    }
}

impl Limits {
    fn problems(&self, problems: &mut Vec<String>) {
        if self.programs.is_empty() {
            problems.push("`limits.programs` is empty: no job could run anything".to_owned());
        }
        for name in self.programs.iter().filter(|name| !is_name(name)) {
            problems.push(format!(
                "`limits.programs` has {name:?}; a program is named by 1 to 64 letters, digits, '_', '.' or '-', without a path"
            ));
        }
        for (name, value) in [("crash_limit", self.crash_limit), ("reject_limit", self.reject_limit)] {
            if value == 0 {
                problems.push(format!("`limits.{name}` = 0 must be at least 1: nothing would be tried"));
            }
        }
        let least = 64 * 1024;
        for (name, value) in [("log_cap_bytes", self.log_cap_bytes), ("stdout_max_bytes", self.stdout_max_bytes)] {
            if value < least {
                problems.push(format!("`limits.{name}` = {value} must be at least {least}"));
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

impl Retention {
    fn problems(&self, problems: &mut Vec<String>) {
        for (name, days) in [("finished_days", self.finished_days), ("failed_days", self.failed_days)] {
            if !(1..=36_500).contains(&days) {
                problems.push(format!("`retention.{name}` = {days} must be at least 1 and at most 36500 days"));
            }
        }
    }
}
