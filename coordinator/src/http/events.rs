//! Transitions as server-sent events.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use bytes::Bytes;
use ffleet_protocol::id::EventId;
use futures_util::Stream;

use super::{
    answer::Frames,
    auth::{Requester, Signed},
    error::ApiError,
};
use crate::{app::App, ops};

/// The header `Last-Event-ID`.
#[derive(Debug)]
pub struct LastEventId(Option<String>);

impl FromRequest for LastEventId {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let value = request.headers().get("last-event-id");
        ready(Ok(Self(value.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()))))
    }
}

impl LastEventId {
    /// The event it names, if it is there.
    fn get(self) -> Result<Option<EventId>, ApiError> {
        let Some(text) = self.0.filter(|text| !text.is_empty()) else { return Ok(None) };
        let bad = |error| ApiError::BadCursor(format!("Last-Event-ID: {error}; leave it away to begin now"));
        text.parse().map(Some).map_err(bad)
    }
}

/// `GET /v1/events`
pub async fn follow(
    app: Data<App>,
    who: Signed<Requester>,
    last: LastEventId,
) -> Result<Frames<impl Stream<Item = Bytes> + 'static>, ApiError> {
    Ok(Frames(ops::events::open(app.into_inner(), &who, last.get()?).await?))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use ffleet_protocol::problem::Code;

    use super::*;

    #[actix_web::test]
    async fn the_last_event_may_be_left_away() {
        let read = async |text: Option<&str>| {
            let mut request = TestRequest::get();
            if let Some(text) = text {
                request = request.insert_header(("Last-Event-ID", text));
            }
            LastEventId::extract(&request.to_http_request()).await.unwrap().get().map_err(|error| error.code())
        };
        let id = EventId::new();
        assert_eq!(read(None).await, Ok(None));
        assert_eq!(read(Some("")).await, Ok(None));
        assert_eq!(read(Some(&id.to_string())).await, Ok(Some(id)));
        assert_eq!(read(Some("7")).await, Err(Code::BadCursor));
    }
}
