//! Bodies that nobody wanted. Answers are given by the head alone, so a body may still be on its way, of whatever length,
//! from whoever found the port. The server reads such a body to its end once its reader is dropped; so its reader is kept
//! until the answer is out and its author had a moment to see it, and then the connection is closed.

use std::{
    cell::RefCell,
    error::Error,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    HttpMessage, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest},
};
use bytes::Bytes;
use ffleet_protocol::limits;
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

/// How long the author of an unwanted body gets to see the answer.
const GRACE: Duration = Duration::from_secs(1);
/// So much is taken in meanwhile, and thrown away: many programs write their whole request before they look for an answer.
/// No call takes more.
const DISCARDED: usize = limits::LARGE_BODY;

/// The body of a request until somebody reads it.
#[derive(Clone, Default)]
pub(super) struct Unread(Rc<RefCell<Option<Payload>>>);

impl Unread {
    /// Takes the body off a request, and leaves it where its handler finds it.
    pub(super) fn of(request: &mut ServiceRequest) -> Self {
        let unread = Self(Rc::new(RefCell::new(Some(request.take_payload()))));
        request.extensions_mut().insert(unread.clone());
        unread
    }

    /// The body, for reading.
    pub(super) fn take(&self) -> Option<Payload> {
        self.0.borrow_mut().take()
    }

    /// A body that was not read to its end.
    pub(super) fn give_back(&self, payload: Payload) {
        self.0.replace(Some(payload));
    }

    /// Whether there is a body that nobody has read to its end.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.0.borrow().as_ref(), Some(Payload::H1 { .. }))
    }

    /// The answer to the request, with whatever nobody has read. Streams of HTTP/2 need no care: each has its own window,
    /// and what is left of one is called off.
    pub(super) fn answered_by(&self, answer: HttpResponse) -> HttpResponse {
        match self.take() {
            Some(payload @ Payload::H1 { .. }) => {
                answer.map_body(|_, answer| Closing { answer, payload, left: DISCARDED, grace: None }.boxed())
            }
            Some(_) | None => answer,
        }
    }
}

/// An answer whose end waits a moment for its reader. Its length is known beforehand, so nobody else waits.
struct Closing {
    answer: BoxBody,
    payload: Payload,
    /// How much more is taken in.
    left: usize,
    /// Runs from the end of the answer on.
    grace: Option<Pin<Box<Sleep>>>,
}

impl MessageBody for Closing {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Self { answer, payload, left, grace } = self.get_mut();
        let grace = match grace {
            Some(grace) => grace,
            None => match ready!(Pin::new(answer).poll_next(cx)) {
                Some(piece) => return Poll::Ready(Some(piece)),
                None => grace.insert(Box::pin(sleep(GRACE))),
            },
        };
        while *left > 0 {
            match Pin::new(&mut *payload).poll_next(cx) {
                Poll::Ready(Some(Ok(piece))) => *left = left.saturating_sub(piece.len()),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        grace.as_mut().poll(cx).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{body::to_bytes, test::TestRequest};

    use super::*;

    #[actix_web::test]
    async fn what_was_read_is_answered_without_waiting() {
        let mut request = TestRequest::post().set_payload("read").to_srv_request();
        let unread = Unread::of(&mut request);
        let payload = unread.take().unwrap();
        assert!(unread.take().is_none());
        unread.give_back(payload);
        let answer = unread.answered_by(HttpResponse::Unauthorized().body("no"));
        assert!(unread.take().is_none(), "the answer holds it");
        assert_eq!(answer.body().size(), BodySize::Sized(2));
        // A body that has arrived keeps nobody waiting.
        assert_eq!(to_bytes(answer.into_body()).await.unwrap(), "no");
    }

    #[actix_web::test]
    async fn other_bodies_reach_their_reader_and_delay_nobody() {
        let mut request = TestRequest::get().to_srv_request();
        let pending: Payload = Payload::Stream { payload: Box::pin(futures_util::stream::pending()) };
        request.set_payload(pending);
        let unread = Unread::of(&mut request);
        assert!(matches!(unread.0.borrow().as_ref(), Some(Payload::Stream { .. })));
        let answer = unread.answered_by(HttpResponse::Unauthorized().body("no"));
        assert_eq!(to_bytes(answer.into_body()).await.unwrap(), "no");
    }
}
