//! What must hold for any bytes at all. Each target is a function that takes bytes from strangers and panics when something
//! is not as it must be. `cargo xtask fuzz` looks for such bytes; whatever it has found so far lies in `fuzz/corpus`, and
//! an ordinary test replays it through the same functions.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a target says that something is wrong by panicking")]

mod json;
mod output;
mod signature;
mod template;

// The worker's own files: pure, and its crate would bring an HTTP client along.
#[path = "../../worker/src/ffmpeg/failures.rs"]
#[allow(dead_code, missing_docs, reason = "as much of it as the targets call")]
mod failures;
#[path = "../../worker/src/shipping/lines.rs"]
#[allow(dead_code, missing_docs, reason = "as much of it as the targets call")]
mod lines;
#[path = "../../worker/src/progress.rs"]
#[allow(dead_code, missing_docs, reason = "as much of it as the targets call")]
mod progress;

/// A function for any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "signature", run: signature::run },
    Target { name: "template", run: template::run },
    Target { name: "json", run: json::run },
    Target { name: "progress", run: output::progress },
    Target { name: "tail", run: output::tail },
    Target { name: "lines", run: output::lines },
];

/// Cuts bytes at the first `0xff`, which is in no UTF-8 text. Without one all of them are the first part.
fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0xff) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}
