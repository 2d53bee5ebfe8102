//! The HTTP surface over real sockets: what is read when, what strangers learn, and how errors look.

#![expect(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod answers;
mod bodies;
mod front;
mod server;
mod strangers;
mod unread;
