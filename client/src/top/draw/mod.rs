//! From the model to a buffer of cells, and nothing else: the same model gives the same picture.

mod lists;
mod look;
mod table;
mod tail;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

pub use look::Colors;

use self::look::plain;
use super::{
    model::{Question, State},
    panes::Pane,
};
use crate::{durations, output::Paint, show};

/// Draws everything. Whatever does not fit is left out, however small the area is.
pub fn draw(state: &State, colors: Colors, area: Rect, buffer: &mut Buffer) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    heading(state, colors).render(top, buffer);
    match &state.tail {
        _ if state.help => help(colors).render(middle, buffer),
        Some(tail) => tail::draw(tail, colors, middle, buffer),
        None => lists::draw(state, colors, middle, buffer),
    }
    footer(state, colors).render(bottom, buffer);
}

/// Who looks at what, and the sums; or since when nobody answers, which on a narrow screen must not be cut.
fn heading(state: &State, colors: Colors) -> Line<'static> {
    if let Some(silence) = &state.silent {
        let text = format!(
            "no answer since {} ({}), asking again: {}",
            show::clock(silence.since),
            durations::human(state.now.duration_since(silence.since).as_secs()),
            plain(&silence.why)
        );
        return Line::styled(text, colors.of(Paint::Bad));
    }
    let title = Span::styled(plain(&state.title), colors.bold());
    let Some((overview, _)) = &state.seen else { return Line::from(title) };
    let open = || overview.workers.iter().filter(|worker| lists::takes_work(worker));
    let slots: u64 = open().map(|worker| u64::from(worker.slots)).sum();
    let busy: u64 = open().map(|worker| u64::from(worker.busy)).sum();
    let waiting = lists::tally(overview.waiting);
    let sums = format!("  {} running  {waiting} waiting  {busy} of {slots} slots in use", overview.held);
    Line::from(vec![title, Span::raw(sums)])
}

/// What a key would do, what came of the last one, or what has to be answered first.
fn footer(state: &State, colors: Colors) -> Line<'static> {
    if let Some(question) = &state.question {
        let text = match question {
            // The key comes first: on a narrow screen the rest of the line is cut.
            Question::Cancel(job) => format!(" y: cancel job {job}  any other key: no"),
            Question::Drain(worker) => {
                format!(" y: {worker} finishes what runs and leaves  any other key: no")
            }
        };
        return Line::styled(text, colors.marked());
    }
    if let Some(remark) = &state.remark {
        let paint = if remark.bad { Paint::Bad } else { Paint::Good };
        return Line::styled(format!(" {}", plain(&remark.text)), colors.of(paint));
    }
    let keys = match (state.help, &state.tail, state.focus) {
        (true, ..) => "any key back",
        (false, Some(tail), _) if tail.has_ended() => "q back  ↑ ↓ scroll  ? help",
        (false, Some(_), _) => "q back  ↑ ↓ scroll  c cancel  ? help",
        (false, None, Pane::Workers) => "q quit  Tab list  ↑ ↓ mark  d drain  p pause  r resume  ? help",
        (false, None, Pane::Running | Pane::Queue) => "q quit  Tab list  ↑ ↓ mark  f output  c cancel  ? help",
        (false, None, Pane::Ended) => "q quit  Tab list  ↑ ↓ mark  f output  ? help",
    };
    Line::styled(format!(" {keys}"), colors.of(Paint::Dim))
}

const HELP: &[(&str, &str)] = &[
    ("Tab  Shift-Tab  1 2 3 4", "another list: workers, running, queue, ended"),
    ("↑ ↓  k j  PgUp PgDn  Home End", "mark a row; scroll output"),
    ("Enter  f", "the output of the marked job; q or Esc goes back"),
    ("c", "cancel the marked job (asks first)"),
    ("d", "drain the marked worker: it finishes what runs and leaves (asks first)"),
    ("p", "pause the marked worker: it takes no new work"),
    ("r", "resume the marked worker"),
    ("?", "this page"),
    ("q  Ctrl-C", "quit"),
    ("", ""),
    ("", "Drain, pause and resume are for admins."),
    ("", "A client sees its own jobs; workers are counted with everybody's work."),
];

fn help(colors: Colors) -> Paragraph<'static> {
    let line = |(keys, what): &(&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!(" {keys:<30} "), colors.bold()), Span::raw(*what)])
    };
    Paragraph::new(HELP.iter().map(line).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
