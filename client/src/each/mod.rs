//! One command for many files: which files, and what each of them makes of the command.

mod files;
mod items;
mod pattern;

pub use files::find;
pub use items::{Item, Items, identity};
pub use pattern::{Hole, Pattern};
