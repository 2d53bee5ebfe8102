//! `ffleet top`: a live view of the fleet.
//!
//! [`model`] says what is shown and what comes of each input, [`draw`] how that looks; both are pure. [`live`] is the only
//! part that touches keys, clocks and coordinators. It asks again every so often, as the feed of transitions settles for
//! some seconds before it tells them, and a doorbell for every row would cost coordinators more than the look itself.

mod draw;
mod keys;
mod lines;
mod live;
mod model;
mod panes;
mod tail;

pub use draw::Colors;
pub use lines::run as lines;
pub use live::run as live;
