//! Columns that stand below each other.

use crate::output::{Look, Paint};

/// What a person watching can still take in at the end of a line.
const LONGEST_LAST_CELL: usize = 72;

/// A table without frames.
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

/// One cell.
pub struct Cell {
    text: String,
    paint: Paint,
}

/// A plain cell.
pub fn cell(text: impl ToString) -> Cell {
    painted(text, Paint::Plain)
}

/// A cell in a colour.
#[expect(clippy::needless_pass_by_value, reason = "cells are made in place, of numbers, ids and texts alike")]
pub fn painted(text: impl ToString, paint: Paint) -> Cell {
    Cell { text: text.to_string(), paint }
}

impl Table {
    /// With these headings.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| painted(heading, Paint::Dim)).collect()] }
    }

    /// Without headings.
    #[must_use]
    pub fn bare() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines, without the last line end.
    #[must_use]
    pub fn text(&self, look: Look) -> String {
        let widths = self.widths();
        let lines: Vec<String> = self.rows.iter().map(|row| line(row, &widths, look)).collect();
        lines.join("\n")
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |row: &Vec<Cell>, column: usize| row.get(column).map_or(0, |cell| cell.text.chars().count());
        (0..columns).map(|column| self.rows.iter().map(|row| width(row, column)).max().unwrap_or(0)).collect()
    }
}

fn line(row: &[Cell], widths: &[usize], look: Look) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let is_last = column + 1 == row.len();
        let text = if is_last && look.terminal { cut(&cell.text) } else { cell.text.clone() };
        let padding = if is_last { 0 } else { width + 2 - text.chars().count() };
        line.push_str(&look.paint(cell.paint, &text));
        line.extend(std::iter::repeat_n(' ', padding));
    }
    line.trim_end().to_owned()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST_LAST_CELL {
        return text.to_owned();
    }
    text.chars().take(LONGEST_LAST_CELL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["NAME", "STATE", "WHAT"]);
        table.row(vec![cell("a"), painted("online", Paint::Good), cell("x".repeat(100))]);
        table.row(vec![cell("longer-name"), painted("é", Paint::Bad), cell("")]);
        let mut look = Look { color: false, terminal: true, now: jiff::Timestamp::UNIX_EPOCH };
        let cut = "x".repeat(71);
        assert_eq!(table.text(look), format!("NAME         STATE   WHAT\na            online  {cut}…\nlonger-name  é"));
        look = Look { color: true, terminal: false, ..look };
        assert!(table.text(look).contains("\x1b[32monline\x1b[0m  xxx"));
    }
}
