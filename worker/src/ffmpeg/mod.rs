//! What there is to know about FFmpeg, as pure functions: its arguments, the length of what it makes, and the meaning of
//! its last words.

pub mod args;
pub mod expected;
pub mod failures;

/// The name under which a worker's configuration has FFmpeg; other programs are run as they are told.
pub const FFMPEG: &str = "ffmpeg";
/// The same for its prober.
pub const FFPROBE: &str = "ffprobe";
