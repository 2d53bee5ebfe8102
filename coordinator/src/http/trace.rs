//! Around every request: its id, its log line, the one place where errors, and panics, become problems, and the end of
//! bodies that nobody read.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use ffleet_protocol::{id::RequestId, state::Role};
use futures_util::FutureExt;
use tracing::Instrument;

use super::{auth::SignedBy, closing::Connection, error::ApiError, unread::Unread};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id and its answer the final form.
pub async fn trace(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::new();
    request.extensions_mut().insert(id);
    let unread = Unread::of(&mut request);
    let connection = Connection::of(&request);
    let span = tracing::error_span!("request", request.id = %id);
    let line = Line { id, method: request.method().clone(), path: request.path().to_owned(), began: Instant::now() };
    if connection.has_ended() {
        let words = "the answer before was the last one on this connection; open another one";
        let mut response = ApiError::bad_request(words).answer(id);
        dress(id, &mut response);
        connection.after(false, &unread, &mut response);
        line.write(response.status(), None);
        return Ok(request.into_response(unread.answered_by(response)));
    }
    let answered = AssertUnwindSafe(next.call(request)).catch_unwind().instrument(span).await;
    match answered {
        Ok(Ok(answered)) => {
            let (request, response) = answered.into_parts();
            let mut response = finish(id, response.map_into_boxed_body());
            let by = request.extensions().get::<SignedBy>().cloned();
            // A good signature over another body counts for nothing.
            let signed = by.is_some() && response.status() != StatusCode::UNAUTHORIZED;
            connection.after(signed, &unread, &mut response);
            line.write(response.status(), by.as_ref());
            Ok(ServiceResponse::new(request, unread.answered_by(response)))
        }
        // The request is gone with the handler; its answer travels as an error.
        Ok(Err(error)) => {
            Err(line.lost(&ApiError::Fault(format!("outside of a handler: {error}")), &unread, &connection))
        }
        Err(panic) => {
            let words = format!("panic: {}", panic_words(panic.as_ref()));
            Err(line.lost(&ApiError::Fault(words), &unread, &connection))
        }
    }
}

fn finish(id: RequestId, response: HttpResponse) -> HttpResponse {
    let mut response = match response.error() {
        Some(error) => match error.as_error::<ApiError>() {
            Some(error) => error.answer(id),
            None => ApiError::Fault(format!("{} from the server itself: {error}", response.status())).answer(id),
        },
        None => response,
    };
    dress(id, &mut response);
    response
}

fn dress(id: RequestId, response: &mut HttpResponse) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => words,
        (None, Some(words)) => words,
        (None, None) => "without words",
    }
}

/// What the log says about a request. Queries, signatures and bodies are not in it.
struct Line {
    id: RequestId,
    method: Method,
    path: String,
    began: Instant,
}

impl Line {
    fn lost(&self, error: &ApiError, unread: &Unread, connection: &Connection) -> Error {
        let mut response = error.answer(self.id);
        dress(self.id, &mut response);
        connection.after(false, unread, &mut response);
        self.write(response.status(), None);
        InternalError::from_response("answered already", unread.answered_by(response)).into()
    }

    /// What goes well and often (workers, machines, reading) is said at debug, the rest at info.
    fn write(&self, status: StatusCode, by: Option<&SignedBy>) {
        let Self { id, method, path, began } = self;
        let (ms, status) = (millis(began.elapsed()), status.as_u16());
        let account = by.map_or("-", |by| by.account.as_str());
        let quiet = status < 400 && (*method == Method::GET || by.is_none_or(|by| by.role == Role::Worker));
        if quiet {
            tracing::debug!(request.id = %id, %method, path, status, ms, account, "{method} {path} {status}");
        } else {
            tracing::info!(request.id = %id, %method, path, status, ms, account, "{method} {path} {status}");
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use actix_web::{App, middleware::from_fn, test, web};
    use ffleet_protocol::problem::Problem;

    use super::*;

    async fn ask(path: &str) -> (StatusCode, Problem, String) {
        let app = test::init_service(
            App::new()
                .wrap(from_fn(trace))
                .route("/panics", web::get().to(async || -> HttpResponse { panic!("hunter2") }))
                .route(
                    "/refuses",
                    web::get().to(async || Err::<HttpResponse, _>(ApiError::bad_request("no such flag"))),
                )
                .route("/foreign", web::get().to(async |_: web::Data<u8>| HttpResponse::Ok())),
        )
        .await;
        let request = test::TestRequest::get().uri(path).to_request();
        let response = match test::try_call_service(&app, request).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        };
        let status = response.status();
        assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
        assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
        let id = response.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
        (status, serde_json::from_slice(&body).unwrap(), id)
    }

    #[actix_web::test]
    async fn whatever_goes_wrong_is_answered_as_a_problem_with_the_request_s_id() {
        for (path, status, code) in
            [("/refuses", 400, "bad_request"), ("/foreign", 500, "internal"), ("/panics", 500, "internal")]
        {
            let (got, problem, id) = ask(path).await;
            assert_eq!((got.as_u16(), problem.code.as_str()), (status, code), "{path}");
            assert_eq!(problem.request_id.to_string(), id);
        }
    }
}
