//! Connections that are to end. Only who signs keeps one for further requests: the server limits how long the head of a
//! connection's *first* request may take, and no later one's, so a stranger who was answered once could otherwise hold
//! connections for ever, a byte at a time. And what follows a request whose body nobody read is not looked at: where that
//! body ends, and so where the next request begins, would be its sender's word alone.

use std::{cell::Cell, rc::Rc};

use actix_web::{
    HttpResponse,
    dev::{Extensions, ServiceRequest},
    http::{ConnectionType, Version},
};

use super::unread::Unread;

/// A connection of HTTP/1, shared by its requests. Streams of HTTP/2 are bounded by the protocol itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Connection(Option<Rc<Cell<bool>>>);

/// Whether a connection has had its last answer.
struct Ending(Rc<Cell<bool>>);

/// Makes a connection's mark.
pub(super) fn watch(extensions: &mut Extensions) {
    extensions.insert(Ending(Rc::default()));
}

impl Connection {
    /// The connection that a request came by.
    pub(super) fn of(request: &ServiceRequest) -> Self {
        let ending = request.request().conn_data::<Ending>().map(|ending| Rc::clone(&ending.0));
        Self(ending.filter(|_| request.version() < Version::HTTP_2))
    }

    /// Whether an earlier answer on it was its last one.
    pub(super) fn has_ended(&self) -> bool {
        self.0.as_ref().is_some_and(|ending| ending.get())
    }

    /// Lets the connection go on after this answer, or not.
    pub(super) fn after(&self, signed: bool, unread: &Unread, answer: &mut HttpResponse) {
        if let Some(ending) = &self.0
            && (!signed || unread.is_left())
        {
            ending.set(true);
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
    }
}
