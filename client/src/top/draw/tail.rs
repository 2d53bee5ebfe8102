//! The output of one job.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

use super::look::{Colors, bar, output, plain};
use crate::{
    output::Paint,
    progress, show,
    top::tail::{Tail, Voice},
};

const BAR: u16 = 20;

/// Draws the end of the output, or the part that was scrolled to, between a title and how far the job is.
pub fn draw(tail: &Tail, colors: Colors, area: Rect, buffer: &mut Buffer) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    title(tail, colors).render(top, buffer);
    let line = |line: &crate::top::tail::Line| {
        let style = match line.voice {
            Voice::Stdout => colors.of(Paint::Good),
            Voice::Stderr => colors.of(Paint::Plain),
            Voice::Ours => colors.of(Paint::Busy),
        };
        let prefix = if line.voice == Voice::Ours { "ffleet: " } else { "" };
        Line::styled(format!("{prefix}{}", output(&line.text)), style)
    };
    Paragraph::new(tail.window(usize::from(middle.height)).map(line).collect::<Vec<_>>()).render(middle, buffer);
    state(tail, colors).render(bottom, buffer);
}

fn title(tail: &Tail, colors: Colors) -> Line<'static> {
    let status = tail.status.map_or("…", |status| status.as_str());
    let paint = tail.status.map_or(Paint::Dim, show::paint_of_job);
    let on = tail.worker.as_ref().filter(|_| !tail.has_ended()).map(|worker| format!(" on {worker}"));
    Line::from(vec![
        Span::styled(format!("▶Job {} ", tail.job), colors.bold()),
        Span::styled(status, colors.of(paint)),
        Span::raw(on.unwrap_or_default()),
    ])
}

fn state(tail: &Tail, colors: Colors) -> Line<'static> {
    if let Some(trouble) = &tail.trouble {
        return Line::styled(plain(trouble), colors.of(Paint::Bad));
    }
    let mut parts = Vec::new();
    if tail.below() > 0 {
        parts.push(format!("{} lines below (End)", tail.below()));
    }
    if tail.binary > 0 {
        parts.push(format!("{} on standard output that are no text", progress::bytes(tail.binary)));
    }
    if let Some(told) = tail.progress.as_ref().filter(|_| !tail.has_ended()) {
        let bar = told.percent.map(|percent| format!("{} ", bar(percent, BAR))).unwrap_or_default();
        parts.push(format!("{bar}{}", progress::line(told)));
    }
    Line::styled(parts.join("  "), colors.of(Paint::Busy))
}
