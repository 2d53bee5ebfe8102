//! The forms of good answers.

use std::convert::Infallible;

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{StatusCode, header::CACHE_CONTROL},
    web::Json,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use utoipa::ToSchema;

/// Something that was made: 201, or 200 when an earlier request had made it.
#[derive(Debug)]
pub struct Made<T> {
    /// What is told about it.
    pub body: T,
    /// Whether this request made it.
    pub new: bool,
}

impl<T: Serialize> Responder for Made<T> {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = Json(self.body).respond_to(request).map_into_boxed_body();
        if self.new && response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::CREATED;
        }
        response
    }
}

/// Something, or 204 and no body.
#[derive(Debug)]
pub struct Maybe<T>(pub Option<T>);

impl<T: Serialize> Responder for Maybe<T> {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        match self.0 {
            Some(body) => Json(body).respond_to(request).map_into_boxed_body(),
            None => HttpResponse::NoContent().finish(),
        }
    }
}

/// It is done and there is nothing to tell: `{}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {}

/// Lines of JSON as they come.
#[derive(Debug)]
pub struct Lines<S>(pub S);

impl<S: Stream<Item = Bytes> + 'static> Responder for Lines<S> {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        flowing("application/x-ndjson", self.0)
    }
}

/// Server-sent events as they come.
#[derive(Debug)]
pub struct Frames<S>(pub S);

impl<S: Stream<Item = Bytes> + 'static> Responder for Frames<S> {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        flowing("text/event-stream", self.0)
    }
}

/// Proxies are told to pass it on piece by piece.
fn flowing(kind: &'static str, stream: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream.map(Ok::<_, Infallible>))
}
