//! The HTTP surface over real sockets: what is read when, what strangers learn, and how errors look.

#![expect(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod answers;
mod bodies;
mod calls;
mod careless;
mod front;
mod owners;
mod server;
mod smuggling;
mod strangers;
mod timing;
mod unread;
