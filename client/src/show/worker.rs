//! Workers.

use ffleet_protocol::{
    state::{Carrier, WorkerState},
    worker::{Hearing, Missing, WorkerView},
};

use super::moment;
use crate::{
    durations,
    output::{Look, Paint, Text},
    progress::bytes,
    table::{Table, cell, painted},
};

/// The meaning of a worker's state.
pub fn paint(state: WorkerState) -> Paint {
    match state {
        WorkerState::Offline | WorkerState::Unknown => Paint::Dim,
        WorkerState::Online => Paint::Good,
        WorkerState::Paused | WorkerState::Draining => Paint::Busy,
    }
}

/// A listing.
pub fn workers(workers: &[WorkerView], look: Look) -> Table {
    let mut table = Table::new(&["WORKER", "STATE", "BUSY", "SEEN", "HEARS", "PROGRAMS", "VARIABLES", "TAGS"]);
    for worker in workers {
        let has = &worker.capabilities;
        table.row(vec![
            cell(&worker.id),
            painted(worker.state, paint(worker.state)),
            cell(format!("{}/{}", worker.busy, has.slots)),
            cell(format!("{} ago", durations::human(look.now.duration_since(worker.seen_at).as_secs()))),
            cell(worker.hearing.map_or_else(|| "-".to_owned(), |hearing| hears(hearing, look))),
            cell(joined(has.programs.keys())),
            cell(joined(has.variables.keys())),
            cell(joined(&has.tags)),
        ]);
    }
    table
}

impl Text for WorkerView {
    fn text(&self, look: Look) -> String {
        let has = &self.capabilities;
        let mut table = Table::bare();
        let mut row = |name: &str, value: String| table.row(vec![painted(name, Paint::Dim), cell(value)]);
        row("worker", self.id.to_string());
        row("state", look.paint(paint(self.state), self.state.as_str()));
        row("busy", format!("{} of {} slots", self.busy, has.slots));
        row("account", self.account.to_string());
        row("version", self.version.clone());
        row("registered", moment(self.registered_at, look.now));
        row("seen", moment(self.seen_at, look.now));
        if let Some(Hearing { by, missing }) = self.hearing {
            row("hears by", carrier(by).to_owned());
            if let Some(Missing { carrier: which, since }) = missing {
                row("unheard", format!("{} since {}", carrier(which), moment(since, look.now)));
            }
        }
        for (name, program) in &has.programs {
            row("program", format!("{name}: {}", program.version));
        }
        for (name, mount) in &has.variables {
            let writable = if mount.writable { "writable" } else { "read only" };
            let free = mount.free_bytes.map(|free| format!(", {} free", bytes(free))).unwrap_or_default();
            row("variable", format!("{name}: {writable}{free}"));
        }
        for (name, words) in [("tags", &has.tags), ("encoders", &has.encoders), ("devices", &has.devices)] {
            if !words.is_empty() {
                row(name, joined(words));
            }
        }
        for problem in &has.problems {
            row("problem", look.paint(Paint::Bad, problem));
        }
        table.text(Look { terminal: false, ..look })
    }
}

/// How a worker learns that it should look, in a few words.
fn hears(Hearing { by, missing }: Hearing, look: Look) -> String {
    let by = carrier(by);
    match missing {
        None => by.to_owned(),
        Some(Missing { carrier: which, since }) => {
            let for_so_long = durations::human(look.now.duration_since(since).as_secs());
            format!("{by}, no {} for {for_so_long}", carrier(which))
        }
    }
}

fn carrier(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::LongPoll => "long poll",
        Carrier::Amqp | Carrier::Mqtt | Carrier::Unknown => carrier.as_str(),
    }
}

fn joined<T: ToString>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| word.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: &str = r#"{
        "id": "box1", "account": "box1", "state": "online", "version": "0.1.0", "slots": 4, "busy": 1,
        "programs": {"ffmpeg": {"version": "ffmpeg version 5.1.9"}, "ffprobe": {"version": "ffprobe version 5.1.9"}},
        "variables": {"Media": {"writable": true, "free_bytes": 1500000000}, "Masters": {"writable": false, "free_bytes": null}},
        "tags": ["fast"], "encoders": [], "devices": [], "problems": ["paths.Old: /mnt/old does not exist"],
        "hearing": {"by": "long_poll", "missing": {"carrier": "amqp", "since": "2026-11-20T12:57:00Z"}},
        "registered_at": "2026-11-20T12:00:00Z", "seen_at": "2026-11-20T12:59:57Z"
    }"#;

    fn look() -> Look {
        Look { color: false, terminal: false, now: "2026-11-20T13:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_worker_in_full() {
        let worker: WorkerView = serde_json::from_str(WORKER).unwrap();
        insta::assert_snapshot!(worker.text(look()), @r"
        worker      box1
        state       online
        busy        1 of 4 slots
        account     box1
        version     0.1.0
        registered  2026-11-20 12:00:00Z (1 h 0 min ago)
        seen        2026-11-20 12:59:57Z (3 s ago)
        hears by    long poll
        unheard     amqp since 2026-11-20 12:57:00Z (3 min 0 s ago)
        program     ffmpeg: ffmpeg version 5.1.9
        program     ffprobe: ffprobe version 5.1.9
        variable    Masters: read only
        variable    Media: writable, 1.5 GB free
        tags        fast
        problem     paths.Old: /mnt/old does not exist
        ");
    }

    #[test]
    fn a_listing() {
        let worker: WorkerView = serde_json::from_str(WORKER).unwrap();
        insta::assert_snapshot!(workers(&[worker], look()).text(look()), @r"
        WORKER  STATE   BUSY  SEEN     HEARS                             PROGRAMS        VARIABLES      TAGS
        box1    online  1/4   3 s ago  long poll, no amqp for 3 min 0 s  ffmpeg,ffprobe  Masters,Media  fast
        ");
    }
}
