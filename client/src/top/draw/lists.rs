//! The four lists.

use ffleet_protocol::{
    overview::{EndedJob, JobBrief, Overview, RunningTask, Tally, WaitingTask, WorkerBrief},
    state::{TaskStatus, WorkerState},
};
use jiff::Timestamp;
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Widget,
};

use super::{
    look::{Colors, bar, plain},
    table::{Column, List},
};
use crate::{
    durations,
    output::Paint,
    show,
    top::{
        model::State,
        panes::{Cursors, Pane},
    },
};

/// Below this height only the list that keys speak of is shown.
const ALL_FROM: u16 = 16;
/// A worker that has said nothing for so long while it should is worth a colour, in seconds.
const SILENT: i64 = 15;
const BAR: u16 = 12;

/// Draws the lists, or one of them where there is room for no more.
pub fn draw(state: &State, colors: Colors, area: Rect, buffer: &mut Buffer) {
    let Some((overview, _)) = &state.seen else {
        Line::styled(" waiting for the first answer", colors.of(Paint::Dim)).render(area, buffer);
        return;
    };
    let list = |pane: Pane| list(pane, overview, &state.cursors, state.focus == pane, state.their_now(), colors);
    if area.height < ALL_FROM {
        list(state.focus).draw(colors, area, buffer);
        return;
    }
    // Title, headings and rows; what runs gets whatever the others leave.
    let want = |rows: usize, share: u16| {
        let rows = u16::try_from(rows).unwrap_or(u16::MAX).max(1);
        Constraint::Length(rows.saturating_add(2).min(area.height / share).max(3))
    };
    let areas: [Rect; 4] = Layout::vertical([
        want(overview.workers.len(), 4),
        Constraint::Min(3),
        want(overview.next.len(), 4),
        want(overview.ended.len(), 4),
    ])
    .areas(area);
    for (pane, area) in Pane::ALL.into_iter().zip(areas) {
        list(pane).draw(colors, area, buffer);
    }
}

fn list(pane: Pane, overview: &Overview, marks: &Cursors, focused: bool, now: Timestamp, colors: Colors) -> List {
    let marked = marks.row(pane);
    match pane {
        Pane::Workers => List {
            title: format!("1 Workers ({})", overview.workers.len()),
            empty: "no worker has registered yet",
            columns: vec![
                Column::fixed("WORKER", 20, 0),
                Column::fixed("STATE", 9, 0),
                Column::fixed("USED", 7, 36),
                Column::fixed("FREE", 5, 44),
                Column::rest("SEEN"),
            ],
            rows: overview.workers.iter().map(|row| worker(row, now, colors)).collect(),
            marked,
            focused,
        },
        Pane::Running => List {
            title: format!("2 Running ({})", overview.held),
            empty: "nothing runs",
            columns: vec![
                Column::fixed("JOB", 18, 140),
                Column::fixed("WORKER", 12, 46),
                Column::fixed("REQUESTER", 10, 80),
                Column::fixed("PROGRESS", BAR + 7, 0),
                Column::fixed("FPS", 6, 90),
                Column::fixed("SPEED", 6, 56),
                Column::fixed("LEFT", 11, 66),
                Column::fixed("FOR", 11, 130),
                Column::rest("COMMAND"),
            ],
            rows: overview.running.iter().map(|row| running(row, now, colors)).collect(),
            marked,
            focused,
        },
        Pane::Queue => List {
            title: format!("3 Queue ({})", tally(overview.waiting)),
            empty: "nothing waits",
            columns: vec![
                Column::fixed("JOB", 18, 100),
                Column::fixed("REQUESTER", 10, 60),
                Column::fixed("PRIORITY", 8, 50),
                Column::fixed("WAITS", 14, 0),
                Column::fixed("FOR", 11, 40),
                Column::rest("COMMAND"),
            ],
            rows: overview.next.iter().map(|row| waiting(row, now, colors)).collect(),
            marked,
            focused,
        },
        Pane::Ended => List {
            title: "4 Ended".to_owned(),
            empty: "nothing has ended",
            columns: vec![
                Column::fixed("JOB", 18, 110),
                Column::fixed("REQUESTER", 10, 60),
                Column::fixed("STATUS", 9, 0),
                Column::fixed("HOW", 24, 40),
                Column::fixed("AGO", 11, 50),
                Column::fixed("TOOK", 11, 130),
                Column::rest("COMMAND"),
            ],
            rows: overview.ended.iter().map(|row| ended(row, now, colors)).collect(),
            marked,
            focused,
        },
    }
}

/// Whether a worker's slots are open for new work.
pub fn takes_work(worker: &WorkerBrief) -> bool {
    worker.state == WorkerState::Online
}

/// A count that may have stopped early.
pub fn tally(tally: Tally) -> String {
    format!("{}{}", tally.count, if tally.more { "+" } else { "" })
}

fn worker(worker: &WorkerBrief, now: Timestamp, colors: Colors) -> Vec<Span<'static>> {
    let silence = now.duration_since(worker.seen_at).as_secs();
    let should_speak = worker.state != WorkerState::Offline;
    let seen = if should_speak && silence >= SILENT { Paint::Bad } else { Paint::Plain };
    let free = if takes_work(worker) { worker.slots.saturating_sub(worker.busy) } else { 0 };
    vec![
        Span::raw(worker.id.to_string()),
        Span::styled(worker.state.as_str(), colors.of(show::paint_of_worker(worker.state))),
        Span::raw(format!("{}/{}", worker.busy, worker.slots)),
        Span::raw(free.to_string()),
        Span::styled(format!("{} ago", durations::human(silence)), colors.of(seen)),
    ]
}

fn running(task: &RunningTask, now: Timestamp, colors: Colors) -> Vec<Span<'static>> {
    let told = task.progress.clone().unwrap_or_default();
    let number = |value: Option<f64>, unit: &str| {
        value.filter(|value| value.is_finite()).map(|value| format!("{value:.1}{unit}")).unwrap_or_default()
    };
    let progress = match (task.status, told.percent) {
        (TaskStatus::Running, Some(percent)) => format!("{} {percent:>5.1}%", bar(percent, BAR)),
        (TaskStatus::Running, None) => {
            told.phase.map_or_else(|| task.status.to_string(), |phase| phase.as_str().to_owned())
        }
        // What is about to end is more worth saying than how far it had come.
        _ => task.status.to_string(),
    };
    let left = told.eta_s.filter(|eta| eta.is_finite() && *eta >= 0.0).map(whole_seconds).map(durations::human);
    vec![
        id(&task.brief),
        Span::raw(task.worker.to_string()),
        Span::raw(task.brief.requester.to_string()),
        Span::styled(progress, colors.of(Paint::Busy)),
        Span::raw(number(told.fps, "")),
        Span::raw(number(told.speed, "x")),
        Span::raw(left.unwrap_or_default()),
        Span::raw(durations::human(now.duration_since(task.claimed_at).as_secs())),
        Span::raw(plain(&task.brief.command)),
    ]
}

fn waiting(task: &WaitingTask, now: Timestamp, colors: Colors) -> Vec<Span<'static>> {
    let later = task.not_before.map(|at| at.duration_since(now).as_secs()).filter(|seconds| *seconds > 0);
    let (waits, paint) = match (task.status, later) {
        (TaskStatus::Blocked, _) => ("for a job".to_owned(), Paint::Dim),
        (_, Some(seconds)) => (format!("for {}", durations::human(seconds)), Paint::Dim),
        (_, None) => ("for a worker".to_owned(), Paint::Plain),
    };
    vec![
        id(&task.brief),
        Span::raw(task.brief.requester.to_string()),
        Span::raw(task.brief.priority.to_string()),
        Span::styled(waits, colors.of(paint)),
        Span::raw(durations::human(now.duration_since(task.brief.created_at).as_secs())),
        Span::raw(plain(&task.brief.command)),
    ]
}

fn ended(job: &EndedJob, now: Timestamp, colors: Colors) -> Vec<Span<'static>> {
    let how = show::ending(job.outcome.exit_code, job.outcome.signal, job.outcome.failure);
    let took = job.started_at.map(|started| durations::human(job.ended_at.duration_since(started).as_secs()));
    vec![
        id(&job.brief),
        Span::raw(job.brief.requester.to_string()),
        Span::styled(job.status.as_str(), colors.of(show::paint_of_job(job.status))),
        Span::raw(how),
        Span::raw(durations::human(now.duration_since(job.ended_at).as_secs())),
        Span::raw(took.unwrap_or_default()),
        Span::raw(plain(&job.brief.command)),
    ]
}

/// As much of an id as tells one job from another, and commands take.
fn id(brief: &JobBrief) -> Span<'static> {
    let mut id = brief.job.to_string();
    id.truncate(18);
    Span::raw(id)
}

#[expect(clippy::cast_possible_truncation, reason = "a float saturates when it becomes an integer")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.ceil() as i64
}
