//! Colours and letters.

use ratatui::style::{Color, Modifier, Style};

use crate::output::Paint;

/// Whether colours are welcome. Without them the marked row is still reversed, and headings are still bold.
#[derive(Debug, Clone, Copy)]
pub struct Colors(pub bool);

impl Colors {
    /// How something of this meaning looks.
    pub fn of(self, paint: Paint) -> Style {
        let color = match paint {
            Paint::Plain => return Style::new(),
            Paint::Dim => return Style::new().add_modifier(Modifier::DIM),
            Paint::Good => Color::Green,
            Paint::Busy => Color::Cyan,
            Paint::Bad if self.0 => Color::Red,
            Paint::Bad => return self.bold(),
        };
        if self.0 { Style::new().fg(color) } else { Style::new() }
    }

    /// A heading.
    pub fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row that keys speak of.
    pub fn marked(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Text of somebody else's, for one line: what could steer the terminal is shown as a dot.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// A line of a program's output: tabs are blanks.
pub fn output(text: &str) -> String {
    plain(&text.replace('\t', "    "))
}

/// So much of `width` cells as `percent` says, in eighths of a cell.
pub fn bar(percent: f64, width: u16) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let whole = usize::from(width) * PARTS.len();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a screen's width"
    )]
    let done = ((percent.clamp(0.0, 100.0) / 100.0 * whole as f64) as usize).min(whole);
    let mut bar = "█".repeat(done / PARTS.len());
    if done < whole {
        bar.push(PARTS[done % PARTS.len()]);
        bar.push_str(&" ".repeat(usize::from(width) - done / PARTS.len() - 1));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_wide_as_they_should_be() {
        for (percent, expected) in
            [(0.0, "    "), (50.0, "██  "), (53.2, "██▏ "), (100.0, "████"), (-3.0, "    "), (f64::NAN, "    ")]
        {
            assert_eq!(bar(percent, 4), expected, "{percent}");
        }
        assert_eq!(bar(50.0, 0), "");
    }

    #[test]
    fn what_could_steer_the_terminal_is_shown() {
        assert_eq!(plain("a\x1b[2Jb\r\n"), "a·[2Jb··");
        assert_eq!(output("a\tb"), "a    b");
    }
}
