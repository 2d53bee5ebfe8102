//! The one printer. Commands hand over values; whether they come out as text or as JSON lines is decided here.
//!
//! Results go to standard output. What ffleet itself has to say goes to standard error and begins with `ffleet:`, so
//! that it is never taken for the program's own output. With `--json` every line on standard output is one object.

use std::io::{self, IsTerminal, Write};

use ffleet_client::ApiError;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    errors::{self, Failure},
    table::Table,
};

/// A value that people can read.
pub trait Text {
    /// One or more lines, without the last line end.
    fn text(&self, look: Look) -> String;
}

/// How text is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether colours are welcome.
    pub color: bool,
    /// Whether a person is watching: long cells are cut.
    pub terminal: bool,
    /// For "ago".
    pub now: Timestamp,
}

/// What a colour is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Nothing.
    Plain,
    /// Less important.
    Dim,
    /// Well.
    Good,
    /// On its way.
    Busy,
    /// Badly.
    Bad,
}

impl Look {
    /// The text, in colour where that is welcome.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => return text.to_owned(),
            Paint::Dim => "2",
            Paint::Good => "32",
            Paint::Busy => "36",
            Paint::Bad => "31",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Standard output and standard error.
#[derive(Debug, Clone)]
pub struct Output {
    json: bool,
    color_out: bool,
    color_err: bool,
    terminal_out: bool,
    terminal_err: bool,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<ffleet_protocol::id::RequestId>,
}

impl Output {
    /// The process's own streams.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let (terminal_out, terminal_err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        // https://no-color.org: set and not empty.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        Self { json, color_out: wanted && terminal_out, color_err: wanted && terminal_err, terminal_out, terminal_err }
    }

    /// Whether standard output carries JSON lines.
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether colours are welcome on standard error.
    #[must_use]
    pub fn color_err(&self) -> bool {
        self.color_err
    }

    /// Whether somebody watches standard output, on a terminal that can do more than print lines.
    #[must_use]
    pub fn screen_out(&self) -> bool {
        self.terminal_out && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
    }

    /// Whether somebody watches standard error.
    #[must_use]
    pub fn terminal_err(&self) -> bool {
        self.terminal_err
    }

    /// How text on standard output is to look.
    #[must_use]
    pub fn look(&self) -> Look {
        Look { color: self.color_out, terminal: self.terminal_out, now: Timestamp::now() }
    }

    /// A result.
    pub fn show<T: Serialize + Text>(&self, value: &T) -> io::Result<()> {
        if self.json { self.json_line(value) } else { self.line(&value.text(self.look())) }
    }

    /// Several results of a kind: a table, or a line of JSON for each.
    pub fn show_all<T: Serialize>(&self, values: &[T], table: impl FnOnce(&[T], Look) -> Table) -> io::Result<()> {
        if self.json {
            return values.iter().try_for_each(|value| self.json_line(value));
        }
        let look = self.look();
        self.line(&table(values, look).text(look))
    }

    /// One line of text.
    pub fn line(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()
    }

    /// One line of JSON.
    pub fn json_line(&self, value: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// Bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Bytes of the program's standard error. A closed standard error is nobody's loss.
    pub fn stderr_bytes(&self, bytes: &[u8]) {
        let _ = io::stderr().lock().write_all(bytes);
    }

    /// A remark of ffleet's own.
    pub fn note(&self, text: &str) {
        let prefix = if self.color_err { "\x1b[36mffleet:\x1b[0m" } else { "ffleet:" };
        self.stderr_bytes(format!("{prefix} {text}\n").as_bytes());
    }

    /// The failure that ends the program.
    pub fn failure(&self, failure: &Failure) {
        let error = &failure.error;
        let alone = error.chain().count() == 1;
        if alone && error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            // Whoever read our results has seen enough of them, as `head` does.
            return;
        }
        let message = format!("{error:#}");
        let advice = errors::advice(failure);
        if self.json {
            let api: Option<&ApiError> = error.downcast_ref();
            let request_id = api.and_then(ApiError::problem).map(|problem| problem.request_id);
            let code = api.and_then(ApiError::code);
            let line = ErrorLine { r#type: "error", code, message: &message, advice, request_id };
            // Nothing can be said when the stream that is told is closed.
            let _ = self.json_line(&line);
            return;
        }
        let prefix = if self.color_err { "\x1b[31mffleet:\x1b[0m" } else { "ffleet:" };
        self.stderr_bytes(format!("{prefix} {message}\n").as_bytes());
        if let Some(advice) = advice {
            self.stderr_bytes(format!("        {advice}\n").as_bytes());
        }
    }
}
