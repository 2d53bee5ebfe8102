//! Path templates: arguments that name files under path variables instead of under one machine's directories.
//!
//! `$Name` or `$Name/rest` stands at the start of an argument, after an optional `file:`, and runs to its end. Anywhere
//! else a path is written `${Name/rest}`. `$$` is a literal dollar, also inside a path; `$` before anything else is an
//! error that says where. So FFmpeg's own dollars (`$$Number%05d$$` of DASH) and paths never get mixed up, and nobody
//! substitutes text in text: an argument is parsed once, into [`Piece`]s.
//!
//! ```
//! use ffleet_protocol::template::Template;
//!
//! let template = Template::parse(b"file:$Media/in/a.mkv").unwrap();
//! assert_eq!(template.whole_path().unwrap().variable.as_str(), "Media");
//! assert_eq!(Template::literal("$Number%05d$.m4s").unwrap().print(), b"$$Number%05d$$.m4s");
//! ```

mod arg;
mod lexical;
mod parse;
mod pieces;
mod roots;
mod variable;

pub use arg::Arg;
pub use lexical::depth_after;
pub use parse::{TemplateError, TemplateProblem};
pub use pieces::{Piece, Template, VarPath};
pub use roots::{BadRoot, Roots};
pub use variable::Variable;

/// FFmpeg's way to say that what follows is a file, whatever it looks like.
pub const FILE_PREFIX: &[u8] = b"file:";
