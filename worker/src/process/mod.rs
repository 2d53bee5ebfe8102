//! The only place that starts a child, and owns it completely: nothing of it survives the attempt or the worker.
//!
//! * Children are started from one thread that lives as long as the worker, because `PR_SET_PDEATHSIG` fires when the
//!   *thread* that forked ends, and a runtime's threads come and go.
//! * Each child leads a process group of its own, and everything it starts carries [`Mark`] in its environment, so that
//!   descendants which left the group are found as well.
//! * A child is reaped only after the rest of its tree is dead. Until then its zombie keeps process and group id taken,
//!   so no signal of ours can reach a stranger.

mod output;
mod proc;
mod program;
mod running;
mod starter;
mod stop;
mod tree;

pub use output::{KillOnDrop, Printed, printed};
pub use proc::{Stat, boot_id, stat};
pub use program::{Mark, MarkPrefix, Program, StartProblem, base_environment};
pub use running::{Control, Ended, Running, exists};
pub use starter::{Orphans, Starter, extra_pipe};
pub use stop::{Manner, stop};
pub use tree::{kill_group_of, kill_marked};
