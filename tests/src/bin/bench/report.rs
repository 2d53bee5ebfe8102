//! The table and the report.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde::Serialize;

/// One measured figure. The fields are those of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// What is to be reached, such as `>= 3000`; empty when the figure is only told.
    reach: String,
    met: bool,
    /// What the machine does by itself, in the same run.
    raw: Option<f64>,
    /// `value / raw`.
    ratio: Option<f64>,
}

impl Figure {
    /// The more, the better.
    pub fn at_least(name: &'static str, value: f64, unit: &'static str, reach: f64) -> Self {
        Self { reach: format!(">= {reach}"), met: value >= reach, ..Self::told(name, value, unit) }
    }

    /// The less, the better.
    pub fn at_most(name: &'static str, value: f64, unit: &'static str, reach: f64) -> Self {
        Self { reach: format!("<= {reach}"), met: value <= reach, ..Self::told(name, value, unit) }
    }

    /// For its own sake.
    pub fn told(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, reach: String::new(), met: true, raw: None, ratio: None }
    }

    /// Beside what the machine does by itself.
    pub fn beside(mut self, raw: f64) -> Self {
        self.raw = Some(raw);
        self.ratio = (raw > 0.0).then(|| self.value / raw);
        self
    }
}

/// Everything measured so far.
#[derive(Serialize)]
pub struct Report {
    figures: Vec<Figure>,
    #[serde(skip)]
    failed: bool,
}

impl Report {
    /// Prints the head of the table.
    pub fn begin() -> Self {
        println!(
            "{:<34} {:>12} {:<8} {:<10} {:<4} {:>12} {:>7}",
            "figure", "value", "unit", "reach", "met", "raw", "ratio"
        );
        Self { figures: Vec::new(), failed: false }
    }

    /// Says what is being measured.
    pub fn announce(&self, name: &str, about: &str) {
        eprintln!("… {name}: {about}");
    }

    /// Prints and keeps.
    pub fn add(&mut self, figures: Vec<Figure>, took: Duration) {
        for figure in figures {
            let shown = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), short);
            let met = if figure.reach.is_empty() {
                ""
            } else if figure.met {
                "yes"
            } else {
                "NO"
            };
            println!(
                "{:<34} {:>12} {:<8} {:<10} {:<4} {:>12} {:>7}",
                figure.name,
                short(figure.value),
                figure.unit,
                figure.reach,
                met,
                shown(figure.raw),
                shown(figure.ratio)
            );
            self.figures.push(figure);
        }
        eprintln!("  ({:.0} s)", took.as_secs_f64());
    }

    /// A line that could not be measured does not keep the others from being measured.
    pub fn failed(&mut self, name: &str, error: &anyhow::Error) {
        eprintln!("  {name} could not be measured: {error:#}");
        self.failed = true;
    }

    /// Writes the report as it stands.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether everything was measured and reached.
    pub fn finish(self) -> bool {
        !self.failed && self.figures.iter().all(|figure| figure.met)
    }
}

/// A number with as many digits as mean something.
fn short(number: f64) -> String {
    match number.abs() {
        n if n >= 1_000.0 => format!("{number:.0}"),
        n if n >= 10.0 => format!("{number:.1}"),
        n if n >= 0.1 || n == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}
