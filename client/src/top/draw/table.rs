//! A list with its title, its headings and the marked row.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Row, StatefulWidget, Table, TableState, Widget},
};

use super::look::Colors;
use crate::output::Paint;

/// A column and from which width of the whole on it is shown.
pub struct Column {
    /// Its heading.
    pub heading: &'static str,
    /// Its width.
    pub width: Constraint,
    /// The least width of the screen.
    pub from: u16,
}

impl Column {
    /// Of a width of its own.
    pub fn fixed(heading: &'static str, width: u16, from: u16) -> Self {
        Self { heading, width: Constraint::Length(width), from }
    }

    /// With whatever is left.
    pub fn rest(heading: &'static str) -> Self {
        Self { heading, width: Constraint::Fill(1), from: 0 }
    }
}

/// One list.
pub struct List {
    /// What it is a list of.
    pub title: String,
    /// What there is to say when it is empty.
    pub empty: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its cells, one for each column.
    pub rows: Vec<Vec<Span<'static>>>,
    /// The marked row.
    pub marked: usize,
    /// Whether keys speak of this list.
    pub focused: bool,
}

impl List {
    /// Draws it; where it is longer than the area, the part with the marked row.
    pub fn draw(self, colors: Colors, area: Rect, buffer: &mut Buffer) {
        let Some(body) = title(&self.title, self.focused, colors, area, buffer) else { return };
        if self.rows.is_empty() {
            Line::styled(format!(" {}", self.empty), colors.of(Paint::Dim)).render(body, buffer);
            return;
        }
        let shown: Vec<bool> = self.columns.iter().map(|column| column.from <= area.width).collect();
        let pick = |row: Vec<Span<'static>>| {
            let cells = row.into_iter().zip(&shown).filter(|(_, shown)| **shown);
            Row::new(cells.map(|(cell, _)| Line::from(cell)).collect::<Vec<_>>())
        };
        let columns = self.columns.iter().filter(|column| column.from <= area.width);
        let widths: Vec<Constraint> = columns.clone().map(|column| column.width).collect();
        let headings = Row::new(columns.map(|column| Line::from(column.heading)).collect::<Vec<_>>());
        let mut table = Table::new(self.rows.into_iter().map(pick), widths)
            .header(headings.style(colors.of(Paint::Dim)))
            .column_spacing(1);
        let mut marked = TableState::new();
        if self.focused {
            table = table.row_highlight_style(colors.marked());
            marked.select(Some(self.marked));
        }
        StatefulWidget::render(table, body, buffer, &mut marked);
    }
}

/// Draws a title and gives what is left below it.
fn title(text: &str, focused: bool, colors: Colors, area: Rect, buffer: &mut Buffer) -> Option<Rect> {
    let line = Rect { height: area.height.min(1), ..area };
    let style = if focused { colors.bold() } else { colors.of(Paint::Dim) };
    let sign = if focused { '▶' } else { ' ' };
    Line::styled(format!("{sign}{text} {}", "─".repeat(usize::from(area.width))), style).render(line, buffer);
    let body = Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area };
    (!body.is_empty()).then_some(body)
}
